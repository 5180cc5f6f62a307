"""The making of drafts while a run goes on."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .drafts import Draft


class Drafting:
    """Makes drafts in a thread, one whenever it is asked for one: encoding takes its time.

    Args:
        drafts: makes the next one.
        changed: called once that is done.

    Attributes:
        waiting: drafts that wait to be submitted, in their order.
    """

    def __init__(self, drafts: Iterator[Draft], changed: Callable[[], None]) -> None:
        self._sources = deque([drafts])
        self._urgent: deque[Iterator[Draft]] = deque()
        self._source = drafts
        self._changed = changed
        self._task: asyncio.Task[Draft | None] | None = None
        self.waiting: list[Draft] = []

    @property
    def is_at_work(self) -> bool:
        """Whether a draft is being made."""
        return self._task is not None

    def follow_with(self, drafts: Iterator[Draft]) -> None:
        """Make these too, after all others."""
        self._sources.append(drafts)

    def go_on_with(self, drafts: Iterator[Draft]) -> None:
        """Make these too, before all others but those that were given here sooner."""
        self._urgent.append(drafts)

    def make_next(self) -> None:
        """Begin to make the next draft, unless one is being made, or none is left."""
        if self._task is None and (sources := self._urgent or self._sources):
            self._source = sources[0]
            self._task = asyncio.create_task(asyncio.to_thread(next, self._source, None))
            self._task.add_done_callback(lambda _: self._changed())

    def take_made(self) -> None:
        """Let the draft wait that was made, if one was.

        Raises:
            Exception: of its making.
        """
        if self._task is None or not self._task.done():
            return
        task, self._task = self._task, None
        draft = task.result()
        if draft is None:
            sources = self._urgent if self._source in self._urgent else self._sources
            sources.remove(self._source)
        else:
            self.waiting.append(draft)

    def close(self) -> None:
        """Make no more."""
        if self._task is not None:
            self._task.cancel()
