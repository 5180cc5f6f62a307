"""What calls of the live lane may cost, within the limit that remote batches draw on too."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from ...engine.budget import Budget
from ...exceptions import StateError
from ..state.events import LiveCall, LiveCallSettled

if TYPE_CHECKING:
    from ...files import GroupWriter
    from ..state.events import Event
    from ..state.run_state import ChunkState, RunState


class LiveBudget:
    """The limit of a run, as a budget for calls. Remote batches under way hold their part of it.

    What they give back when they end goes to calls that wait for it.

    Args:
        limit_usd: the limit.
        state: of the run.

    Attributes:
        budget: for the calls.
    """

    def __init__(self, limit_usd: float, state: RunState) -> None:
        self._state = state
        self._open: dict[int, tuple[ChunkState, float]] = {}
        for chunk in state.open_chunks.values():
            if state.is_held(chunk) and chunk.reserved_usd is not None:
                self._open[chunk.number] = (chunk, chunk.reserved_usd)
        open_usd = sum(usd for _, usd in self._open.values())
        # Calls that a crash has cut off, and chunks whose bill never came.
        held = max(0.0, state.reserved_usd - open_usd)
        if state.spent_usd + held + open_usd > limit_usd:
            # It was lowered: there is no room, and what comes back makes none that is sure.
            held, self._open = held + open_usd, {}
        self.budget = Budget(limit_usd, spent_usd=state.spent_usd, held_usd=held)
        for _, usd in self._open.values():
            self.budget.reserve(usd)

    def follow(self) -> None:
        """Take note of remote batches that were settled since."""
        for number, (chunk, usd) in list(self._open.items()):
            if chunk.settled_usd is not None:
                # What is held for it for good may have been spent.
                self.budget.settle(usd, chunk.settled_usd + (chunk.reserved_usd or 0.0))
            elif not self._state.is_held(chunk):
                self.budget.release(usd)
            elif not chunk.is_open:
                self.budget.hold(usd)
            else:
                continue
            del self._open[number]


class LiveReservations:
    """Writes down, before a call is made, what it may cost. As `Payments` takes them.

    Args:
        writer: of the state.
        last_call: the number of the last call before.
    """

    def __init__(self, writer: GroupWriter[Event], last_call: int) -> None:
        self._writer = writer
        self._next = last_call + 1

    async def reserve(self, bound_usd: float) -> int:
        """Return the number of a call, once what it may cost is durable.

        Raises:
            StateError: if it cannot be written.
        """
        number = self._next
        self._next += 1
        waiter = self._writer.add_awaited(LiveCall(number, bound_usd))
        try:
            await waiter
        except asyncio.CancelledError:
            with suppress(StateError):  # the cancellation is what the caller is to hear of
                self.settle(number, 0.0)  # nobody has made the call
            raise
        return number

    def settle(self, call_number: int, usd: float | None) -> None:
        """Say what a call has cost; without an answer its reservation stays."""
        if usd is not None:
            self._writer.add(LiveCallSettled(call_number, usd))
