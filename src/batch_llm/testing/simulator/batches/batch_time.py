"""The time that a batch lives in: the simulated one, without the simulator's own work."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..clock import Clock


class BatchTime:
    """Simulated unix seconds, which stand still while the simulator works on the batch.

    At a speed of 10,000 a second of computing would else be almost three hours of the batch's 24.
    Where the clock is moved by hand, this time moves with it, also while it stands still.

    Args:
        clock: simulated time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._taken_out = 0.0
        self._stopped_at: float | None = None

    def now(self) -> float:
        """Return unix seconds."""
        return self._clock.now() - self._taken_out - self._since_stop()

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Let no time pass meanwhile."""
        self._stopped_at = time.monotonic()
        try:
            yield
        finally:
            self._taken_out += self._since_stop()
            self._stopped_at = None

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds."""
        await self.sleep_until(self.now() + seconds)

    async def sleep_until(self, moment: float) -> None:
        """Wait until `moment`, in unix seconds of this time."""
        await self._clock.sleep_until(moment + self._taken_out)

    def _since_stop(self) -> float:
        if self._stopped_at is None:
            return 0.0
        return (time.monotonic() - self._stopped_at) * self._clock.speed
