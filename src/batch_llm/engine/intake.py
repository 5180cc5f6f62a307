"""Where a run's items come from: a queue, and a source that is read as workers get free."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import Generic, TypeAlias, cast

from ..base import LLMWorkItem, TContext, TInput, TOutput
from ..exceptions import InputError
from .faults import is_fault, logged_faults

Source: TypeAlias = (
    Iterable[LLMWorkItem[TInput, TOutput, TContext]]
    | AsyncIterable[LLMWorkItem[TInput, TOutput, TContext]]
)
"""Work items: a list, an iterator, or an async iterator."""


class Intake(Generic[TInput, TOutput, TContext]):
    """Hands out items one by one, those of the queue first.

    Args:
        max_size: items that may wait in the queue; 0 for no limit.

    Attributes:
        taken: items handed out; right after a take, `taken - 1` is the item's number.
        fault: what the source raised, if it did. It is read no further then.
        is_sealed: whether the run has ended for it, so that what is put in now would be lost.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._queue: deque[LLMWorkItem[TInput, TOutput, TContext]] = deque()
        self._producers: deque[asyncio.Future[None]] = deque()
        self._iterator: Iterator[LLMWorkItem[TInput, TOutput, TContext]] | None = None
        self._stream: AsyncIterator[LLMWorkItem[TInput, TOutput, TContext]] | None = None
        self._given = 0
        self._still_in_list = 0
        self._is_list = False
        self.taken = 0
        self.fault: BaseException | None = None
        self.is_sealed = False

    # -- going in

    @property
    def is_full(self) -> bool:
        """Whether the queue has as many items as it may."""
        return 0 < self._max_size <= len(self._queue) and not self.is_sealed

    def put(self, item: LLMWorkItem[TInput, TOutput, TContext]) -> None:
        """Queue an item, beyond the limit too: some callers cannot wait."""
        self._queue.append(item)

    async def wait_for_room(self) -> None:
        """Wait until the queue has room, or is sealed."""
        while self.is_full:
            room = asyncio.get_running_loop().create_future()
            self._producers.append(room)
            try:
                await room
            except asyncio.CancelledError:
                if room.done() and not room.cancelled():
                    # The room was given just before the wait was cancelled: pass it on.
                    self._let_one_in()
                elif room in self._producers:
                    self._producers.remove(room)
                raise

    def read_from(self, source: Source[TInput, TOutput, TContext]) -> None:
        """Take items from `source` as well, once the queue is empty.

        Raises:
            InputError: if it cannot be iterated.
        """
        if isinstance(source, AsyncIterable):
            self._stream = aiter(source)
        elif isinstance(source, Iterable):
            self._is_list = isinstance(source, Sized)
            self._still_in_list = len(source) if isinstance(source, Sized) else 0
            self._iterator = iter(source)
        else:
            raise InputError(
                f"A source of work items is a list, an iterator or an async iterator, "
                f"not a {type(source).__name__}."
            )

    # -- coming out

    @property
    def known(self) -> int:
        """Items that have come in so far, and those that a list still holds."""
        return self.taken + len(self._queue) + max(0, self._still_in_list)

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue)

    @property
    def may_have_more(self) -> bool:
        """Whether a take may succeed."""
        return bool(self._queue) or self._iterator is not None

    @property
    def has_stream(self) -> bool:
        """Whether there is an async source, for `fetch`."""
        return self._stream is not None

    def take(self) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        """Return the next item that is at hand, or None."""
        if self._queue:
            item = self._queue.popleft()
            self.taken += 1
            if self._producers:
                self._let_one_in()
            return item
        if self._iterator is None:
            return None
        following = self._next_of_iterator()
        if following is not None:
            self.taken += 1
        return following

    async def fetch(self) -> bool:
        """Move one item from the async source to the queue; return whether there was one."""
        if self._stream is None:
            return False
        try:
            item = await anext(self._stream)
        except StopAsyncIteration:
            self._stream = None
            return False
        except BaseException as error:  # the source is the user's; its fault ends the reading
            if not is_fault(error):
                raise
            self._stream = None
            self.fault = error
            return False
        checked = self._checked(item)
        if checked is None:
            return False
        self.put(checked)
        return True

    def abandon(self) -> list[LLMWorkItem[TInput, TOutput, TContext]]:
        """Seal the intake; return the items that are known and were not taken.

        A list is known to its end. What an iterator would still give is not.
        """
        self.is_sealed = True
        rest = list(self._queue)
        self._queue.clear()
        while self._producers:
            self._let_one_in()
        while self._is_list and (item := self._next_of_iterator()) is not None:
            rest.append(item)
        self._iterator = None
        self._still_in_list = 0
        self.taken += len(rest)
        return rest

    async def aclose(self) -> None:
        """Close the async source, so that its own clean-up runs."""
        stream, self._stream = self._stream, None
        close = getattr(stream, "aclose", None)
        if close is not None:
            with logged_faults("The source of work items failed to close."):
                await close()

    def _next_of_iterator(self) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        if self._iterator is None:
            return None
        try:
            item = next(self._iterator)
        except StopIteration:
            self._iterator = None
            self._still_in_list = 0
            return None
        except BaseException as error:  # the source is the user's; its fault ends the reading
            if not is_fault(error):
                raise
            self._iterator = None
            self._still_in_list = 0
            self.fault = error
            return None
        self._still_in_list -= 1
        return self._checked(item)

    def _checked(
        self, item: LLMWorkItem[TInput, TOutput, TContext]
    ) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        self._given += 1
        if isinstance(item, cast("type", LLMWorkItem)):  # unproven: the source is the user's
            return item
        self._iterator = self._stream = None
        self._still_in_list = 0
        self.fault = InputError(
            f"A source gives LLMWorkItem objects; its number {self._given} is a "
            f"{type(item).__name__}."
        )
        return None

    def _let_one_in(self) -> None:
        while self._producers:
            producer = self._producers.popleft()
            if not producer.done():
                producer.set_result(None)
                return
