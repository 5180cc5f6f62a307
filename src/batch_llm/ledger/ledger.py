"""What is durably known of a run."""

from __future__ import annotations

import asyncio
import math
import os
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ..exceptions import LedgerError
from ..files import GroupWriter
from .entry import CallReserved, CallSettled, ItemEnded, RunBegun, RunEnded
from .files import LEDGER
from .reader import read_ledger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterator, Mapping
    from types import TracebackType
    from typing import Self

    from ..core import LedgerConfig
    from ..files import PathLock
    from .identity import ItemIdentity
    from .record import (
        KeptOutcome,
        KeptResult,
        KeptRow,
        LedgerSummary,
        ResultRecord,
        Settlement,
    )
    from .store import Store


class Ledger:
    """Keeps results and money; `open_ledger` makes one.

    All methods belong to the thread of one event loop. What is written is durable in the sense of
    `LedgerConfig.durability` when the awaitable ends; a task that is cancelled while it waits
    loses nothing. After a write has failed, every later one is refused with the same reason, so
    that what follows a hole is never taken for whole.

    Args:
        store: the file.
        lock: keeps others away from it.
        config: as the store's.

    Attributes:
        spent_usd: the settled cost of all calls ever made with this ledger.
        held_usd: what may have been spent besides: for calls whose answer never came, in this run
            and in all before it.
        reserved_usd: what the calls in flight may cost at the most.

    Raises:
        LedgerError: from every method that writes, if the file cannot be written (any longer).
    """

    def __init__(self, store: Store, lock: PathLock, config: LedgerConfig) -> None:
        self._store = store
        self._lock = lock
        self._writer = GroupWriter(store.write, partial(LEDGER.broken, store.path, "Writing"))
        self._caches = config.response_cache
        self._reserved: dict[int, float] = {}
        self._next_call = store.standing.last_call + 1
        self._last_run = store.standing.last_run
        self._run: int | None = None
        self._is_closed = False
        self.path = store.path
        self.spent_usd = store.standing.spent_usd
        self.held_usd = store.standing.held_usd
        self.reserved_usd = 0.0

    # -- runs

    async def begin_run(self, version: str) -> int:
        """Begin a run; what has been kept before is what it can find.

        Args:
            version: of this package, for those who read the ledger later.

        Returns:
            The run's number, from 1.
        """
        self._last_run += 1
        await self._writer.add_awaited(RunBegun(self._last_run, time.time(), os.getpid(), version))
        self._run = self._last_run
        return self._last_run

    async def end_run(self, counts: Mapping[str, float]) -> None:
        """Write down that the run ended in good order, and what it counted."""
        run = self._current_run()
        self._run = None
        await self._writer.add_awaited(RunEnded(run, time.time(), dict(counts)))

    # -- results

    def find(self, item: ItemIdentity) -> KeptResult | None:
        """Return the success of an item that is the same in id, prompt, context and strategy.

        One that ended before this run began. At once, where nothing had.

        Raises:
            LedgerError: if the file cannot be read.
        """
        return self._store.find(item.digest) if self._store.has_results else None

    def find_answer(self, request: bytes) -> KeptResult | None:
        """Return a success, of whatever item and run, for an equal request to an equal strategy.

        None without `LedgerConfig.response_cache`.

        Raises:
            LedgerError: if the file cannot be read.
        """
        return self._store.find_answer(request) if self._caches else None

    def keep(self, record: ResultRecord) -> Awaitable[None]:
        """Keep the end of an item, and settle its calls, in one.

        A failure is replaced by what a later run makes of the same item; a success stays.

        Raises:
            ValueError: for a settlement of a call that is not reserved, or costs that are none.
        """
        run = self._current_run()
        settlements = record.settlements
        for settlement in settlements or ():
            self._check_settlement(settlement)
        if settlements and len({number for number, _ in settlements}) < len(settlements):
            raise ValueError("A call is settled once.")
        cost_usd = 0.0 if record.cost_usd is None else _checked_usd(record.cost_usd)
        if settlements is None:
            spent_usd = cost_usd
        else:
            spent_usd = sum(usd for _, usd in settlements if usd is not None)
        self._make_printable(record)
        waiter = self._writer.add_awaited(ItemEnded(record, run, time.time(), spent_usd))
        for number, usd in settlements or ():
            self._unreserve(number, is_held=usd is None)
        self.spent_usd += spent_usd
        return waiter

    # -- money

    async def reserve(self, bound_usd: float) -> int:
        """Write down, before a call is made, what it may cost at the most.

        It counts from here on, durable or not. If the task is cancelled before the number is
        known, no call can have been made, and the reservation is given back.

        Args:
            bound_usd: a true upper bound.

        Returns:
            The call's number, to settle it by.
        """
        run, number = self._current_run(), self._next_call
        waiter = self._writer.add_awaited(CallReserved(number, run, _checked_usd(bound_usd)))
        self._next_call += 1
        self._reserved[number] = bound_usd
        self.reserved_usd += bound_usd
        try:
            await waiter
        except asyncio.CancelledError:
            with suppress(LedgerError):  # the cancellation is what the caller is to hear of
                self.release(number)
            raise
        return number

    def settle(self, call_number: int, usd: float | None) -> None:
        """Say what a call has cost; it is written with the next group.

        Args:
            call_number: as `reserve` gave it.
            usd: None where its answer never came: the reservation is then held for ever.

        Raises:
            ValueError: if the call is not reserved (any longer), or the cost is none.
        """
        self._check_settlement((call_number, usd))
        self._writer.add(CallSettled(call_number, usd))
        self._unreserve(call_number, is_held=usd is None)
        self.spent_usd += usd or 0.0

    def add_cost(self, usd: float) -> None:
        """Count what the calls of an item have cost that has no end to be kept: a cancelled one."""
        run, number = self._current_run(), self._next_call
        self._writer.add(CallReserved(number, run, _checked_usd(usd)))
        self._next_call += 1
        self._writer.add(CallSettled(number, usd))
        self.spent_usd += usd

    def release(self, call_number: int) -> None:
        """Give back the reservation of a call that was not made."""
        self.settle(call_number, 0.0)

    def hold(self, call_number: int) -> None:
        """Hold the reservation for ever: the call may have been billed."""
        self.settle(call_number, None)

    # -- looking at it

    def results(
        self,
        *,
        outcome: KeptOutcome | None = None,
        all: bool = False,  # noqa: A002 - what callers read as a word
    ) -> Iterator[KeptRow]:
        """Yield how each item id stands, as `LedgerReader.results` does."""
        return read_ledger(self.path).results(outcome=outcome, all=all)

    def summary(self) -> LedgerSummary:
        """Return what the file says of all its runs, without what is not durable yet."""
        return read_ledger(self.path).summary()

    # -- the end

    async def aclose(self) -> None:
        """Write what is left, close the file, and let another process have it.

        Raises:
            LedgerError: if something could not be written, and no one has been told.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._writer.aclose()
        finally:
            self._store.close()
            self._lock.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    # -- parts of the above

    def _current_run(self) -> int:
        if self._run is None:
            raise RuntimeError("A ledger takes results and calls between begin_run and end_run.")
        return self._run

    def _check_settlement(self, settlement: Settlement | tuple[int, float | None]) -> None:
        number, usd = settlement
        if number not in self._reserved:
            raise ValueError(f"The call {number} is not reserved, or is settled already.")
        if usd is not None:
            _checked_usd(usd)

    def _unreserve(self, call_number: int, *, is_held: bool) -> None:
        bound_usd = self._reserved.pop(call_number)
        if is_held:
            self.held_usd += bound_usd
        # Without rounding errors, which would add up over a million calls.
        self.reserved_usd = self.reserved_usd - bound_usd if self._reserved else 0.0

    def _make_printable(self, record: ResultRecord) -> None:
        """Replace what no file can hold, half a surrogate pair; digests tell texts apart anyway."""
        record.item = record.item._replace(item_id=_printable(record.item.item_id))
        for name in ("error", "error_category", "prompt_text", "finish_reason"):
            text = getattr(record, name)
            if text is not None and not text.isascii():
                setattr(record, name, _printable(text))


def _printable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _checked_usd(usd: float) -> float:
    if not (math.isfinite(usd) and usd >= 0):
        raise ValueError(f"A cost is a finite number of USD, 0 or more, not {usd!r}.")
    return usd
