"""What a gate knows holds on when its processor goes on on another event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import FixedDelayStrategy, ProcessingEvent, ProcessorConfig, TokenBound
from batch_llm.engine.events import Events
from batch_llm.engine.gate import Gate, new_gate
from batch_llm.strategies import Allowance, QuotaReading

from ....standins import Ear, now
from ....virtual import LoopsInTurn, run

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


class Gates:
    """The gate of one processor, on one loop after another."""

    def __init__(self, **settings: Any) -> None:
        self.config = ProcessorConfig(**settings)
        self.limits = FixedDelayStrategy(100.0, 5.0)
        self.ear = Ear()
        self.loops = LoopsInTurn()
        self.gate: Gate | None = None

    def on_the_next_loop(self, main: Callable[[Gate], Awaitable[Any]]) -> Any:
        """Run `main` with the gate there, and return seconds since the last loop ended."""
        return self.loops.run(lambda: main(self.move()))

    def move(self) -> Gate:
        events = Events([self.ear])
        self.gate = new_gate(self.config, self.limits, events, earlier=self.gate)
        return self.gate


@pytest.fixture
def _common_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the time of these loops for that of all."""
    clock = "batch_llm.engine.gate.gate.monotonic"
    monkeypatch.setattr(clock, lambda: asyncio.get_running_loop().time())


async def enter(gate: Gate, scope: str | None = "a", bound: TokenBound | None = None) -> float:
    """Return when one call was let in."""
    if (turn := gate.admit(scope, bound)) is not None:
        await turn
    return now()


async def waits(gate: Gate, scope: str | None = "a", bound: TokenBound | None = None) -> float:
    """Return for how long one call had to wait."""
    began = now()
    return await enter(gate, scope, bound) - began


@pytest.mark.usefixtures("_common_time")
def test_starts_a_minute() -> None:
    gates = Gates(max_requests_per_minute=6)
    times = [gates.on_the_next_loop(enter) for _ in range(20)]
    for first, after in zip(times, times[6:], strict=False):
        assert after - first >= 60
    assert times[-1] - times[0] < 200, "and no fewer than that"


@pytest.mark.usefixtures("_common_time")
def test_tokens_a_minute() -> None:
    gates = Gates(max_tokens_per_minute=2_000)
    bound = TokenBound(500, 500)

    async def call(gate: Gate) -> float:
        started = await enter(gate, "a", bound)
        gate.leave("a", 0.0)
        usage: Any = {"input_tokens": 500, "output_tokens": 500, "total_tokens": 1_000}
        gate.settle("a", bound, usage)
        return started

    times = [gates.on_the_next_loop(call) for _ in range(10)]
    for first, after in zip(times, times[2:], strict=False):
        assert after - first >= 60


@pytest.mark.usefixtures("_common_time")
def test_tokens_of_a_call_that_was_cut_off_with_its_loop_count_as_used() -> None:
    gates = Gates(max_tokens_per_minute=1_000)
    bound = TokenBound(500, 500)
    gates.on_the_next_loop(lambda gate: enter(gate, "a", bound))
    assert gates.on_the_next_loop(lambda gate: waits(gate, "a", bound)) == 60.0


@pytest.mark.usefixtures("_common_time")
def test_the_pause_of_a_scope() -> None:
    gates = Gates()

    async def refuse(gate: Gate) -> None:
        gate.rate_limited("a", 30.0, gate.epoch, 0)
        await asyncio.sleep(10)

    gates.on_the_next_loop(refuse)
    assert gates.on_the_next_loop(lambda gate: waits(gate, "b")) == 0.0
    assert gates.on_the_next_loop(lambda gate: waits(gate, "a")) == 20.0


@pytest.mark.usefixtures("_common_time")
def test_a_cooldown_that_was_cut_off() -> None:
    gates = Gates()

    async def refuse(gate: Gate) -> None:
        gate.rate_limited("a", None, gate.epoch, 7)
        await asyncio.sleep(40)

    gates.on_the_next_loop(refuse)

    async def go_on(gate: Gate) -> tuple[float, int, int]:
        return await waits(gate, "b"), gate.epoch, gate.consecutive

    assert gates.on_the_next_loop(go_on) == (65.0, 1, 1), "the rest, and the slow start"
    assert gates.ear.heard(ProcessingEvent.COOLDOWN_ENDED) == [{"worker_id": 7, "duration": 100.0}]


@pytest.mark.usefixtures("_common_time")
def test_a_cooldown_that_would_be_over_is_over() -> None:
    gates = Gates()

    async def refuse(gate: Gate) -> None:
        gate.rate_limited("a", None, gate.epoch, 0)
        await asyncio.sleep(40)

    gates.on_the_next_loop(refuse)
    gates.loops.now += 100
    assert gates.on_the_next_loop(waits) == 5.0, "the slow start alone"


@pytest.mark.usefixtures("_common_time")
def test_limits_that_the_provider_told() -> None:
    gates = Gates()

    async def hear(gate: Gate) -> None:
        gate.heard("a", QuotaReading(requests=Allowance(60, 50, 1.0)))
        await enter(gate)

    gates.on_the_next_loop(hear)
    assert gates.on_the_next_loop(waits) == pytest.approx(60 / 60 / 0.98, abs=0.03)


@pytest.mark.usefixtures("_common_time")
def test_a_server_out_of_order() -> None:
    gates = Gates()

    async def fail(gate: Gate) -> None:
        for _ in range(5):
            gate.broke("a")

    gates.on_the_next_loop(fail)

    async def look(gate: Gate) -> float:
        return gate.headroom("a")

    assert gates.on_the_next_loop(look) < 0


@pytest.mark.usefixtures("_common_time")
def test_places_of_calls_that_were_cut_off_are_free() -> None:
    gates = Gates(max_workers="auto")

    async def fill(gate: Gate) -> float:
        return max(await asyncio.gather(*(waits(gate) for _ in range(20))))

    assert gates.on_the_next_loop(fill) == 0.0
    assert gates.on_the_next_loop(fill) == 0.0


@pytest.mark.usefixtures("_common_time")
def test_who_waited_there_holds_up_no_one_here() -> None:
    gates = Gates(max_requests_per_minute=6)
    left: list[asyncio.Task[float]] = []

    async def crowd(gate: Gate) -> None:
        left.extend(asyncio.ensure_future(enter(gate)) for _ in range(5))
        await asyncio.sleep(1)

    gates.on_the_next_loop(crowd)
    assert gates.on_the_next_loop(waits) == pytest.approx(9.0, abs=0.1)
    assert gates.on_the_next_loop(waits) == pytest.approx(10.0, abs=0.1)


@pytest.mark.usefixtures("_common_time")
def test_a_call_that_ends_late_on_the_earlier_loop_changes_nothing_here() -> None:
    gates = Gates(max_workers="auto", max_tokens_per_minute=30_000)
    bound = TokenBound(500, 500)

    async def fill(gate: Gate) -> Gate:
        await asyncio.gather(*(enter(gate, "a", bound) for _ in range(20)))
        return gate

    earlier = gates.on_the_next_loop(fill)

    async def hear_of_the_end(gate: Gate) -> None:
        await fill(gate)
        held = gate.headroom("b")
        earlier.leave("a", 1.0)
        earlier.settle("a", bound, {})
        assert gate.headroom("b") == held < 1
        waiting = asyncio.ensure_future(enter(gate, "a", bound))
        await asyncio.sleep(0.5)
        assert not waiting.done(), "all places are taken"

    gates.loops.now += 100
    gates.on_the_next_loop(hear_of_the_end)


def test_a_loop_with_a_time_of_its_own_begins_afresh() -> None:
    gates = Gates(max_requests_per_minute=6)

    async def turns() -> list[float]:
        gate = gates.move()
        return [await enter(gate), await enter(gate)]

    first = run(turns)
    assert first[1] > 10
    assert run(turns) == first
