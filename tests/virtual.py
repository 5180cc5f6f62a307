"""Virtual time for tests, strict: a lock-up, a lost exception and a leaked task are failures."""

from __future__ import annotations

import asyncio
import gc
from typing import TYPE_CHECKING, Any, TypeVar

from batch_llm.testing.virtual_time import VirtualTimeLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_MOST_TURNS_AT_ONE_INSTANT = 200_000
_END_OF_TIME = 1e9  # seconds: some thirty years


class StrictLoop(VirtualTimeLoop):
    """A loop of virtual time that raises where a real one would wait, or spin, for ever."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = 0
        self._jump = self._jumping.select
        self._jumping.select = self._select  # type: ignore[method-assign]

    def _select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            ready = self._jump(0)
            if not ready:
                raise RuntimeError("Locked up: nothing can run, and no timer is set.")
            return ready
        if not self.time() < _END_OF_TIME:
            raise RuntimeError("Locked up: all that is left waits for a time that never comes.")
        self._turns = 0 if timeout > 0 else self._turns + 1
        if self._turns > _MOST_TURNS_AT_ONE_INSTANT:
            raise RuntimeError("Spinning: the loop turns and turns, and no time passes.")
        return self._jump(timeout)


class Watch:
    """Sees what goes wrong on a loop where no one is looking."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._faults: list[dict[str, Any]] = []
        self._loop.set_exception_handler(lambda _, context: self._faults.append(context))

    async def check(self) -> None:
        """Fail on exceptions that no one retrieved, and on tasks that still run."""
        for _ in range(5):
            await asyncio.sleep(0)
        current = asyncio.current_task()
        leaked = {
            task for task in asyncio.all_tasks() if task is not current and not _is_runner(task)
        }
        gc.collect(1)
        assert not leaked, f"leaked: {leaked}"
        assert not self._faults, f"the loop was told of {self._faults}"


def _is_runner(task: asyncio.Task[Any]) -> bool:
    """Return whether the task is that of the pytest plugin, which runs tests and fixtures."""
    return getattr(task.get_coro(), "__qualname__", "").startswith("TestRunner.")


def run(main: Callable[[], Awaitable[T]]) -> T:
    """Run `main()` on a strict loop, and check what it leaves behind."""

    async def watched() -> T:
        watch = Watch()
        value = await main()
        await watch.check()
        return value

    with asyncio.Runner(loop_factory=StrictLoop) as runner:
        return runner.run(watched())


class LoopsInTurn:
    """Strict loops one after the other, on one clock: each begins when the last one has ended.

    Attributes:
        now: the time between loops.
    """

    def __init__(self) -> None:
        self.now = 1_000.0

    def run(self, main: Callable[[], Awaitable[T]]) -> T:
        """Run `main()` on the next loop; what it leaves behind is cancelled."""

        async def called() -> T:
            return await main()

        with asyncio.Runner(loop_factory=self._next) as runner:
            try:
                return runner.run(called())
            finally:
                self.now = runner.get_loop().time()

    def _next(self) -> StrictLoop:
        loop = StrictLoop()
        loop._jumping.now = self.now
        return loop
