"""Where a run's items come from: a queue, and a source that is read as workers get free."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Sized
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from ..base import LLMWorkItem, TContext, TInput, TOutput
from ..exceptions import InputError

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T")

Item: TypeAlias = LLMWorkItem[TInput, TOutput, TContext]
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
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self._queue: deque[LLMWorkItem[TInput, TOutput, TContext]] = deque()
        self._producers: deque[asyncio.Future[None]] = deque()
        self._iterator: Iterator[LLMWorkItem[TInput, TOutput, TContext]] | None = None
        self._stream: AsyncIterator[LLMWorkItem[TInput, TOutput, TContext]] | None = None
        self._pulling = False
        self._announced = 0
        self.taken = 0
        self.fault: Exception | None = None

    # -- going in

    @property
    def is_full(self) -> bool:
        """Whether the queue has as many items as it may."""
        return 0 < self._max_size <= len(self._queue)

    def put(self, item: LLMWorkItem[TInput, TOutput, TContext]) -> None:
        """Queue an item, beyond the limit too: some callers cannot wait."""
        self._queue.append(item)

    async def wait_for_room(self) -> None:
        """Wait until the queue has room."""
        while self.is_full:
            room = asyncio.get_running_loop().create_future()
            self._producers.append(room)
            try:
                await room
            finally:
                if room in self._producers:
                    self._producers.remove(room)

    def read_from(self, source: Source[TInput, TOutput, TContext]) -> None:
        """Take items from `source` as well, once the queue is empty.

        Raises:
            InputError: if it cannot be iterated.
        """
        if isinstance(source, AsyncIterable):
            self._stream = aiter(source)
        elif isinstance(source, Iterable):
            self._announced = self.taken + len(source) if isinstance(source, Sized) else 0
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
        return max(self.taken, self._announced) + len(self._queue)

    @property
    def may_have_more(self) -> bool:
        """Whether a take may succeed now."""
        return bool(self._queue) or self._iterator is not None or self.must_wait

    @property
    def must_wait(self) -> bool:
        """Whether the next item comes from an async source that no one is reading from."""
        return self._stream is not None and not self._pulling

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
        try:
            item = next(self._iterator)
        except StopIteration:
            self._iterator = None
            return None
        except Exception as error:  # the source is the user's; its fault ends the reading
            self._iterator = None
            self.fault = error
            return None
        return self._checked(item)

    async def wait(self) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        """Return the next item of the async source, or None at its end.

        One worker at a time reads; it is the reader's task to see to it that another follows.
        """
        if self._stream is None or self._pulling:
            return None
        self._pulling = True
        try:
            item = await anext(self._stream)
        except StopAsyncIteration:
            self._stream = None
            return None
        except Exception as error:  # the source is the user's; its fault ends the reading
            self._stream = None
            self.fault = error
            return None
        finally:
            self._pulling = False
        return self._checked(item)

    def abandon(self) -> list[LLMWorkItem[TInput, TOutput, TContext]]:
        """Return the items that are known and were not taken; read no further.

        A list is known to its end. What an iterator would still give is not.
        """
        rest = list(self._queue)
        self._queue.clear()
        while self._producers:
            self._let_one_in()
        if self._iterator is not None and self._announced:
            rest.extend(self._iterator)
        self._iterator = None
        self.taken += len(rest)
        return rest

    async def aclose(self) -> None:
        """Close the async source, so that its own clean-up runs."""
        stream, self._stream = self._stream, None
        close: Any = getattr(stream, "aclose", None)
        if close is not None:
            await close()

    def _checked(
        self, item: LLMWorkItem[TInput, TOutput, TContext]
    ) -> LLMWorkItem[TInput, TOutput, TContext] | None:
        if isinstance(item, LLMWorkItem):
            self.taken += 1
            return item
        self._iterator = self._stream = None
        self.fault = InputError(
            f"A source gives LLMWorkItem objects; number {self.taken + 1} is a "
            f"{type(item).__name__}."
        )
        return None

    def _let_one_in(self) -> None:
        producer = self._producers.popleft()
        if not producer.done():
            producer.set_result(None)
