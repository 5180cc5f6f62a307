"""One life of a run: from the moment it begins until nothing of it is at work."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import Future, wait
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from ..state.journal import open_again, open_journal
from ..state.state import StateManager
from .opened_run import READ_AT_ONCE, OpenedRun

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator
    from typing import TypeAlias

    from ...base import JobResult
    from ..state.journal import Journal
    from .progress import Progress
    from .run_setup import RunSetup
    from .run_status import RunStatus
    from .runner import Runner

    Asked: TypeAlias = Callable[[Runner], object]

_WAKE_SECONDS: Final = 0.5


class Session:
    """One life of a run; a run that is taken up again has another.

    What is asked of it before its state is open is done once that is. Its methods may be called
    from any thread but for `run`; from a signal's handler, `ask` and `has_ended`.

    Args:
        setup: what is run.
        progress: told how it stands, on the event loop of `run`.
        home: the event loop that it will run on; None where a thread of its own is to have one.

    Attributes:
        opened: the run once its state is open; it can be read when the session is over, too.
        fault: what ended it too early.
    """

    def __init__(
        self, setup: RunSetup, progress: Progress, home: asyncio.AbstractEventLoop | None = None
    ) -> None:
        self._setup = setup
        self._progress = progress
        self._home = home
        self._asked: deque[Asked] = deque()
        self._telling: set[asyncio.Task[None]] = set()
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._takes_orders = False
        self._is_ending = False
        self._done = threading.Event()
        self._opened: OpenedRun | None = None
        self.fault: BaseException | None = None

    @property
    def opened(self) -> OpenedRun:
        """The run, whose state is open, or has been."""
        assert self._opened is not None, "nobody else has it before that"
        return self._opened

    # -- its life

    def open(self, before: Journal | None = None) -> None:
        """Open the state; it takes seconds for many jobs. Where it fails, the session is over.

        Args:
            before: the state as this run has had it open before; no other is gone on with then.
                Without it, what the file holds is forgotten first, unless it is to be used again.

        Raises:
            ConfigurationError, StateMismatchError, StateError: as `OpenedRun`, `open_journal` and
                `open_again`.
        """
        try:
            journal = self._new_journal() if before is None else open_again(before)
            try:
                self._opened = OpenedRun(self._setup, journal, self._wake)
                if self._setup.scratch is not None:
                    self._setup.scratch.journal = journal
                    self._setup.scratch.files = self._opened.files
            except BaseException:
                journal.close()
                raise
        except BaseException:
            self._is_over()
            raise

    async def run(self) -> None:
        """Run to the end, on the event loop of the caller; `close` comes after it.

        Raises:
            Exception: as `Runner.run`.
            ConfigurationError: if files of results could not be written, once all else is done.
        """
        opened, self._home = self.opened, asyncio.get_running_loop()
        self._takes_orders = True
        self._obey()
        progress = asyncio.create_task(self._report())
        try:
            with self._time_limited(self._home):
                await opened.runner.run()
            opened.tell_rest()
            if opened.files is not None:
                opened.files.check()
        except Exception as error:
            self.fault = error
            raise
        finally:
            progress.cancel()
            self._is_ending = True
            self._progress.tell(self.status)

    def close(self) -> None:
        """Close the state, and let all know who wait for the end."""
        try:
            self.opened.journal.close()
            if self._setup.scratch is not None:
                self._setup.scratch.warn()
        except Exception as error:  # those who wait for the run are told
            self.fault = self.fault or error
        finally:
            self._is_over()

    # -- what is asked of it

    def ask(self, what: Asked) -> None:
        """Have something done with the runner, on its event loop; nothing once it has ended.

        It waits for no lock: a signal's handler may have cut into whoever holds it.
        """
        self._asked.append(what)
        home = self._home
        if self._takes_orders and home is not None:
            with suppress(RuntimeError):  # it has ended meanwhile
                home.call_soon_threadsafe(self._obey)

    def tell(self, what: Callable[[Runner], Coroutine[Any, Any, None]]) -> None:
        """Do something on the event loop of the run, and wait for it, unless the run ends before.

        Raises:
            Exception: that it raises.
        """
        told: Future[None] = Future()

        def begin(runner: Runner) -> None:
            task = asyncio.get_running_loop().create_task(what(runner))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)
            task.add_done_callback(lambda task: _pass_on(task, told))

        self.ask(begin)
        while not (wait([told], _WAKE_SECONDS).done or self.has_ended()):
            pass
        if told.done() and not told.cancelled():
            told.result()

    def is_at_home(self) -> bool:
        """Whether the caller is on the event loop of the run, which nothing may hold up."""
        try:
            return asyncio.get_running_loop() is self._home and not self.has_ended()
        except RuntimeError:
            return False

    # -- its end

    def has_ended(self) -> bool:
        """Whether nothing of it is at work, whatever has ended it."""
        return self._done.is_set()

    def left_some(self) -> bool:
        """Whether it has ended while remote batches went on."""
        return self.has_ended() and bool(self.opened.journal.state.open_chunks)

    def wait(self, timeout_seconds: float | None = None) -> None:
        """Wait until it has ended."""
        if timeout_seconds is not None:
            self._done.wait(timeout_seconds)
            return
        # In pieces: a wait without an end cannot be interrupted on every system.
        while not self._done.wait(_WAKE_SECONDS):
            pass

    async def ended(self) -> None:
        """Wait until it has ended; whoever waits may be cancelled.

        Raises:
            Exception: that ended it too early.
        """
        with self._listening() as news:
            while not self.has_ended():
                await news.wait()
                news.clear()
        if self.fault is not None:
            raise self.fault

    # -- what is read

    def status(self) -> RunStatus:
        """Return how it stands."""
        is_running = not (self._is_ending or self.has_ended())
        return self.opened.status(is_running=is_running, fault=self.fault)

    async def results(self) -> AsyncGenerator[JobResult, None]:
        """Yield the results that there are, then the others as they come, until it has ended.

        Raises:
            Exception: that ended it too early.
        """
        opened, given = self.opened, 0
        for result in self._setup.refused:
            yield result
        with self._listening() as news:
            while True:
                news.clear()
                is_last = self.has_ended()
                while given < len(opened.ended):
                    group = opened.ended[given : given + READ_AT_ONCE]
                    for result in await asyncio.to_thread(opened.results_of, group):
                        yield result
                    given += len(group)
                if is_last:
                    break
                await news.wait()
        if self.fault is not None:
            raise self.fault

    # -- inside

    def _new_journal(self) -> Journal:
        if not self._setup.params.reuse_state:
            StateManager(self._setup.path).clear()
        return open_journal(self._setup.path)

    def _obey(self) -> None:
        while self._asked:
            self._asked.popleft()(self.opened.runner)

    @contextmanager
    def _time_limited(self, home: asyncio.AbstractEventLoop) -> Iterator[None]:
        limit, runner = self._setup.time_limit_seconds, self.opened.runner
        if limit is None:
            yield
            return
        reason = f"its time limit of {limit:g} s is over"
        timer = home.call_later(limit, lambda: runner.stop(reason, leaves=True))
        try:
            yield
        finally:
            timer.cancel()

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._progress.interval_seconds)
            self._progress.tell(self.status)

    def _is_over(self) -> None:
        self._done.set()
        self._wake()

    @contextmanager
    def _listening(self) -> Iterator[asyncio.Event]:
        listener = asyncio.get_running_loop(), asyncio.Event()
        self._listeners.add(listener)
        try:
            yield listener[1]
        finally:
            self._listeners.discard(listener)

    def _wake(self) -> None:
        for loop, news in list(self._listeners):
            with suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(news.set)


def _pass_on(task: asyncio.Task[None], told: Future[None]) -> None:
    if task.cancelled():
        told.cancel()
        return
    error = task.exception()
    if error is not None:
        told.set_exception(error)
    else:
        told.set_result(None)
