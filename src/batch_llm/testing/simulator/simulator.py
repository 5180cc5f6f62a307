"""A simulator in a thread of its own, for tests and programs, sync and async."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio.to_thread

from ...exceptions import ConfigurationError
from .answers import answers_from
from .front import PREFIXES
from .reading import read_batch_times, read_fault, read_latency, read_limits, read_settings
from .running import RunningSimulator
from .settings import SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping

    from .answers import AnswersSource
    from .books import Books
    from .faults import Fault
    from .front import Front
    from .latency import Latency
    from .limits import Limit
    from .settings import BatchTimes

T = TypeVar("T")


class Simulator:
    """OpenAI, Anthropic and Gemini on this machine's loopback.

        with Simulator(seed=7) as simulator:
            client = OpenAI(base_url=simulator.openai_base_url, api_key="any")

    It runs in a thread of its own, so that both sync and async clients can call it; `with` and
    `async with` both start and stop it.

    Args:
        settings: how it starts; None takes the defaults.
        answers: what models say: anything with `async answer(call) -> Answer`; a function of a
            `ModelCall`; a mapping from prompts to answers; the path of such a table (`.json`) or
            of a recording (`.jsonl`); or a text that names a source, as
            `SimulatorSettings.answers` does. What a table or a recording does not know is answered
            as by "auto". None takes what the settings name.
        host: address to listen on.
        port: 0 takes a free one.
        **changes: fields of `SimulatorSettings`, put over `settings`.

    Raises:
        MissingExtraError: if what serves HTTP is not installed.
        ConfigurationError: for a setting that cannot work, or a port that is taken.
    """

    def __init__(
        self,
        settings: SimulatorSettings | None = None,
        *,
        answers: AnswersSource | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        **changes: Any,
    ) -> None:
        self._settings = _with_changes(settings or SimulatorSettings(), changes)
        self._answers = answers
        self._host = host
        self._port = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._running: RunningSimulator | None = None
        self._last_books: Books | None = None

    # --- start and stop --------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to listen, and return once it does."""
        if self._thread is not None:
            raise ConfigurationError("The simulator runs already.")
        self._last_books = None
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=_run, args=(loop,), name="simulator", daemon=True)
        thread.start()
        self._loop, self._thread = loop, thread
        try:
            self._running = self._wait(_start(self._settings, self._answers, self.address))
        except BaseException:
            self._stop_thread()
            raise
        self._port = self._running.server.port
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Host and port; port 0 before the start, where none was chosen."""
        return self._host, self._port

    def close(self) -> None:
        """Stop. Nothing happens where it does not run."""
        if self._thread is None:
            return
        try:
            if self._running is not None:
                self._last_books = self._running.front.world.books
                self._wait(self._running.aclose())
        finally:
            self._running = None
            self._stop_thread()

    def reset(self) -> None:
        """Begin anew on the same address: no books, no batches, the settings of the start."""
        self._wait(self._started().reset())

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await anyio.to_thread.run_sync(self.start)

    async def __aexit__(self, *_: object) -> None:
        await anyio.to_thread.run_sync(self.close)

    # --- where it is -----------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        """The address of the simulator: "http://127.0.0.1:8080"."""
        self._started()
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def openai_base_url(self) -> str:
        """What `OPENAI_BASE_URL` is to be."""
        return self.base_url + PREFIXES["openai"]

    @property
    def anthropic_base_url(self) -> str:
        """What `ANTHROPIC_BASE_URL` is to be."""
        return self.base_url + PREFIXES["anthropic"]

    @property
    def gemini_base_url(self) -> str:
        """What `GOOGLE_GEMINI_BASE_URL` is to be."""
        return self.base_url + PREFIXES["gemini"]

    def environment(self, key: str | None = None) -> dict[str, str]:
        """Return the environment variables that lead every SDK to the simulator.

        Args:
            key: the API key that they name; by default one that is right.
        """
        key = key or (self._settings.keys or ("simulated",))[0]
        return {
            "OPENAI_BASE_URL": self.openai_base_url,
            "OPENAI_API_KEY": key,
            "ANTHROPIC_BASE_URL": self.anthropic_base_url,
            "ANTHROPIC_API_KEY": key,
            "GOOGLE_GEMINI_BASE_URL": self.gemini_base_url,
            "GEMINI_API_KEY": key,
        }

    # --- what it knows and does ------------------------------------------------------------

    @property
    def books(self) -> Books:
        """What the providers accepted, answered and billed; they can be read after the end too."""
        return self._last_books or self._started().front.world.books

    @property
    def broken(self) -> int:
        """Requests that met a defect of the simulator itself; 0, or it has one."""
        return self._started().front.broken

    def now(self) -> float:
        """Return the simulated time, in unix seconds."""
        return self._started().front.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by simulated seconds; return when batches have caught up.

        Raises:
            ConfigurationError: for a negative number, or a moment after all dates.
        """
        self._do(lambda front: front.clock.advance(seconds))
        if threading.current_thread() is not self._thread:
            self._wait(self._started().front.world.catch_up())

    def set_speed(self, speed: float) -> None:
        """Let `speed` simulated seconds pass in a real one."""
        self._do(lambda front: front.clock.set_speed(speed))

    def add_fault(self, fault: Fault | str | Mapping[str, Any]) -> int:
        """Put a fault into force; return its number.

        Args:
            fault: a fault, a text such as "503:0.1" or "dropped", or a fault's fields.

        Raises:
            ConfigurationError: for what is none, or an operation that there is not.
        """
        wanted = read_fault(fault)
        return self._do(lambda front: front.add_fault(wanted))

    def remove_fault(self, number: int) -> bool:
        """Take a fault out of force; return whether it was there."""
        return self._do(lambda front: front.world.faults.remove(number))

    def clear_faults(self) -> None:
        """Take all faults out of force."""
        self._do(lambda front: front.world.faults.clear())

    def set_limits(self, limits: Limit | Iterable[Limit | Mapping[str, Any]]) -> None:
        """Put other limits into force; a single one stands for itself.

        Raises:
            ConfigurationError: for what is none, naming the field.
        """
        wanted = read_limits(limits)
        self._do(lambda front: front.world.limits.set(wanted))

    def set_latency(self, latency: Latency | float | Mapping[str, Any]) -> None:
        """Let live calls take another time; a number is a fixed one, in simulated seconds.

        Raises:
            ConfigurationError: for what is none, naming the field.
        """
        wanted = read_latency(latency)

        def change(front: Front) -> None:
            front.world.latency = wanted

        self._do(change)

    def set_answers(self, answers: AnswersSource) -> None:
        """Let models say something else, until the next `reset`.

        Args:
            answers: as for the class.

        Raises:
            ConfigurationError: for what is no source of answers.
        """
        source = answers_from(answers, self._settings.seed)
        self._do(lambda front: front.world.set_answers(source))

    def set_batch_times(self, times: BatchTimes | Mapping[str, Any]) -> None:
        """Let batches take another time, from their next step on.

        Raises:
            ConfigurationError: for what is none, naming the field.
        """
        wanted = read_batch_times(times)

        def change(front: Front) -> None:
            front.world.batch_times = wanted

        self._do(change)

    # --- its thread ------------------------------------------------------------------------

    def _started(self) -> RunningSimulator:
        if self._running is None:
            raise ConfigurationError("The simulator does not run: use `with`, or start() it.")
        return self._running

    def _do(self, change: Callable[[Front], T]) -> T:
        """Run `change` where the simulator runs: nothing in a world is locked."""
        running = self._started()
        if threading.current_thread() is self._thread:
            return change(running.front)

        async def run() -> T:
            return change(running.front)

        return self._wait(run())

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _stop_thread(self) -> None:
        assert self._loop is not None
        assert self._thread is not None
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None


async def _start(
    settings: SimulatorSettings, answers: AnswersSource | None, address: tuple[str, int]
) -> RunningSimulator:
    running = RunningSimulator(settings, answers, *address)
    await running.start()
    return running


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()
    # What still waits for clients that went away.
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())


def _with_changes(settings: SimulatorSettings, changes: Mapping[str, Any]) -> SimulatorSettings:
    return read_settings({**read_settings(settings).model_dump(), **changes})
