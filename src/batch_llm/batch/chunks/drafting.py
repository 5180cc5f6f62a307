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
        self._source = drafts
        self._changed = changed
        self._task: asyncio.Task[Draft | None] | None = None
        self._first: list[Iterator[Draft]] = []
        self.waiting: list[Draft] = []

    @property
    def is_at_work(self) -> bool:
        """Whether a draft is being made."""
        return self._task is not None

    def follow_with(self, drafts: Iterator[Draft]) -> None:
        """Make these too, after all others."""
        self._sources.append(drafts)

    def go_on_with(self, sources: list[Iterator[Draft]]) -> None:
        """Make these too, in this order, before all others, and before those that wait."""
        self._first = [*sources, *self._first]

    def make_next(self) -> None:
        """Begin to make the next draft, unless one is being made, or none is left."""
        if self._task is None and self._sources:
            self._source = self._sources[0]
            self._task = asyncio.create_task(asyncio.to_thread(next, self._source, None))
            self._task.add_done_callback(lambda _: self._changed())

    def take_made(self) -> None:
        """Let the draft wait that was made, if one was; what is to go first, goes before it.

        Raises:
            Exception: of its making.
        """
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            self._take(task.result())
        if self._first:
            self._sources.extendleft(reversed([*self._first, iter(list(self.waiting))]))
            self._first.clear()
            self.waiting.clear()

    def _take(self, draft: Draft | None) -> None:
        place = self._sources.index(self._source)
        if draft is None:
            del self._sources[place]
        elif place == 0:
            self.waiting.append(draft)
        else:  # others are to go first by now
            self._sources.insert(place, iter([draft]))

    def close(self) -> None:
        """Make no more."""
        if self._task is not None:
            self._task.cancel()
