"""The limits in force, and what is used of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .admission import Admission

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..call import ModelCall, Usage
    from ..clock import Clock
    from .limit import Limit


class Limits:
    """Decides which calls may start.

    Args:
        clock: simulated time.
        limits: in force from the start.
    """

    def __init__(self, clock: Clock, limits: Iterable[Limit] = ()) -> None:
        self._clock = clock
        self._limits = tuple(limits)

    def set(self, limits: Iterable[Limit]) -> None:
        """Put other limits into force; what was used of the old ones counts on."""
        self._limits = tuple(limits)

    def in_force(self) -> tuple[Limit, ...]:
        """Return the limits."""
        return self._limits

    def admit(self, call: ModelCall) -> Admission:
        """Let a call start, and count it; or say which limit it exceeds, and count nothing."""
        return Admission()

    def settle(self, call: ModelCall, usage: Usage) -> Admission:
        """Put what a call used in the place of what was assumed; return what is left."""
        return Admission()

    async def serve(self, call: ModelCall, seconds: float) -> None:
        """Let a call run for its time, which grows with the calls that run beside it."""
        if seconds > 0:
            await self._clock.sleep(seconds)

    def enqueue(self, provider: str, model: str, key: str, batch: str, tokens: int) -> int | None:
        """Count a batch's tokens until `dequeue`; return the limit where they exceed it."""
        return None

    def dequeue(self, batch: str) -> None:
        """Count a batch's tokens no more; nothing happens where it is not counted."""
