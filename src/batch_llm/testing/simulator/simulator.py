"""A simulator in a thread of its own, for tests and programs, sync and async."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio.to_thread

from ...exceptions import ConfigurationError
from .front import PREFIXES, Front
from .server import HTTPServer
from .settings import SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from .answers import AnswersSource
    from .books import Books
    from .clock import Clock
    from .exchange import Request, Response
    from .faults import Fault
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
        self._running: _Running | None = None

    # --- start and stop --------------------------------------------------------------------

    def start(self) -> Self:
        """Begin to listen, and return once it does."""
        if self._thread is not None:
            raise ConfigurationError("The simulator runs already.")
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
        return f"http://{self._host}:{self._port}"

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

    def environment(self, key: str = "simulated") -> dict[str, str]:
        """Return the environment variables that lead every SDK to the simulator.

        Args:
            key: the API key that they name.
        """
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
        """What the providers accepted, answered and billed."""
        return self._started().front.world.books

    @property
    def broken(self) -> int:
        """Requests that met a defect of the simulator itself; 0, or it has one."""
        return self._started().front.broken

    def now(self) -> float:
        """Return the simulated time, in unix seconds."""
        return self._started().front.clock.now()

    def advance(self, seconds: float) -> None:
        """Move the clock forward by simulated seconds."""
        self._do(lambda front: front.clock.advance(seconds))

    def set_speed(self, speed: float) -> None:
        """Let `speed` simulated seconds pass in a real one."""
        self._do(lambda front: front.clock.set_speed(speed))

    def add_fault(self, fault: Fault) -> int:
        """Put a fault into force; return its number."""
        return self._do(lambda front: front.world.faults.add(fault))

    def remove_fault(self, number: int) -> bool:
        """Take a fault out of force; return whether it was there."""
        return self._do(lambda front: front.world.faults.remove(number))

    def clear_faults(self) -> None:
        """Take all faults out of force."""
        self._do(lambda front: front.world.faults.clear())

    def set_limits(self, limits: Iterable[Limit]) -> None:
        """Put other limits into force."""
        wanted = tuple(limits)
        self._do(lambda front: front.world.limits.set(wanted))

    def set_latency(self, latency: Latency) -> None:
        """Let live calls take another time."""

        def change(front: Front) -> None:
            front.world.latency = latency

        self._do(change)

    def set_batch_times(self, times: BatchTimes) -> None:
        """Let batches take another time, from their next step on."""

        def change(front: Front) -> None:
            front.world.batch_times = times

        self._do(change)

    # --- its thread ------------------------------------------------------------------------

    def _started(self) -> _Running:
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


class _Running:
    """A simulator that listens; all of it in one event loop."""

    def __init__(
        self, settings: SimulatorSettings, answers: AnswersSource | None, host: str, port: int
    ) -> None:
        self._settings = settings
        self._answers = answers
        self._generation = 0
        self.front = self._new_front()
        self.server = HTTPServer(self, host, port)

    @property
    def clock(self) -> Clock:
        return self.front.clock

    async def answer(self, request: Request) -> Response:
        generation = self._generation
        response = await self.front.answer(request)
        response.generation = generation
        return response

    def settle(self, response: Response, status: int, whole: bool) -> None:
        # What was asked of an older world has no place in the books of this one.
        if response.generation == self._generation:
            self.front.settle(response, status, whole)

    async def start(self) -> None:
        await self.server.start()

    async def reset(self) -> None:
        old, self.front = self.front, self._new_front()
        self._generation += 1
        await old.aclose()

    async def aclose(self) -> None:
        await self.server.aclose()
        await self.front.aclose()

    def _new_front(self) -> Front:
        return Front(self._settings, self._answers, self.reset)


async def _start(
    settings: SimulatorSettings, answers: AnswersSource | None, address: tuple[str, int]
) -> _Running:
    running = _Running(settings, answers, *address)
    await running.start()
    return running


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    loop.run_forever()


def _with_changes(settings: SimulatorSettings, changes: dict[str, Any]) -> SimulatorSettings:
    if not changes:
        return settings
    return SimulatorSettings.model_validate({**settings.model_dump(), **changes})
