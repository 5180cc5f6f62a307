"""An event loop whose clock jumps: hours of waiting pass in no time, in the right order.

    def test_waits_five_minutes():
        async def main():
            start = asyncio.get_running_loop().time()
            await asyncio.sleep(300)
            assert asyncio.get_running_loop().time() - start >= 300

        run_in_virtual_time(main)

When nothing is ready to run, the clock jumps to the next timer. Real sockets, threads and
subprocesses do not share that clock: keep them out of such a test.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextvars import Context

T = TypeVar("T")


_SMALLEST_STEP_SECONDS = 2e-9


class _JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting for a timer, tells the loop how far to jump."""

    now: float = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if timeout is None:
            # No timer is left: only another thread can wake the loop, so wait for it.
            return super().select(None)
        # At large times a small step is lost in rounding, and the clock would stand still.
        self.now = max(self.now + timeout, math.nextafter(self.now, math.inf))
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time; `loop.time()` starts at 0."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return virtual seconds since the loop was made."""
        return self._jumping.now

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: object,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call back at a virtual time.

        A moment from now at the least: who computes a wait that is lost in rounding, and waits
        again, would otherwise do so for ever on a clock that stands still.
        """
        moment = max(when, self.time() + _SMALLEST_STEP_SECONDS)
        return super().call_at(moment, callback, *args, context=context)


def run_in_virtual_time(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main()` to its end on a loop of virtual time, and return its value."""

    async def call() -> T:
        return await main()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(call())
