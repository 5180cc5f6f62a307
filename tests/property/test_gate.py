"""The gate, whatever is asked of it in whatever order, on virtual time."""

from __future__ import annotations

import asyncio
import math
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from batch_llm import FixedDelayStrategy, ProcessorConfig, TokenBound
from batch_llm.engine.events import Events
from batch_llm.engine.gate import Gate, new_gate
from batch_llm.strategies import Allowance, QuotaReading

from ..virtual import StrictLoop

RPM = 12
TPM = 1_500
SCOPES = st.sampled_from([None, "a", "b"])


class Call:
    """One who asks to start, starts, and ends."""

    def __init__(self, number: int, scope: str | None, bound: TokenBound) -> None:
        self.number, self.scope, self.bound = number, scope, bound
        self.task: asyncio.Task[None] | None = None
        self.started: float | None = None
        self.ended: float | None = None
        self.used = 0


class GateMachine(RuleBasedStateMachine):
    """Calls ask, wait, are cancelled, start and end; the provider refuses and tells limits."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=StrictLoop)
        self.loop = self.runner.get_loop()
        self.calls: list[Call] = []
        self.started: list[Call] = []
        self.pauses: list[tuple[str | None, float, float]] = []
        self.gate = self.runner.run(self._open())

    async def _open(self) -> Gate:
        config = ProcessorConfig(
            max_workers="auto", max_requests_per_minute=RPM, max_tokens_per_minute=TPM
        )
        return new_gate(config, FixedDelayStrategy(20.0, 0.5), Events([]))

    def do(self, what: Any) -> None:
        async def step() -> None:
            what()
            for _ in range(5):
                await asyncio.sleep(0)

        self.runner.run(step())

    async def _live(self, call: Call) -> None:
        if (turn := self.gate.admit(call.scope, call.bound)) is not None:
            await turn
        call.started = self.loop.time()
        self.started.append(call)

    @property
    def in_flight(self) -> list[Call]:
        return [call for call in self.started if call.ended is None]

    @property
    def waiting(self) -> list[Call]:
        return [c for c in self.calls if c.started is None and c.task and not c.task.done()]

    @rule(scope=SCOPES, sent=st.integers(1, 150), made=st.integers(0, 150), count=st.integers(1, 8))
    def ask(self, scope: str | None, sent: int, made: int, count: int) -> None:
        def begin() -> None:
            for _ in range(count):
                call = Call(len(self.calls), scope, TokenBound(sent, made))
                self.calls.append(call)
                call.task = self.loop.create_task(self._live(call))

        self.do(begin)

    @rule(seconds=st.floats(0.001, 45))
    def pass_time(self, seconds: float) -> None:
        self.runner.run(asyncio.sleep(seconds))

    @rule(which=st.integers(0), share=st.floats(0, 1), knows=st.booleans())
    def end(self, which: int, share: float, knows: bool) -> None:
        if running := self.in_flight:
            self.do(lambda: self._end(running[which % len(running)], share, knows))

    def _end(self, call: Call, share: float, knows: bool = True, refused: Any = False) -> None:
        assert call.started is not None
        call.ended = self.loop.time()
        sent, made = (
            int(call.bound.input_tokens * share),
            int((call.bound.output_tokens or 0) * share),
        )
        call.used = sent + made
        self.gate.leave(call.scope, call.ended - call.started)
        usage: Any = {"input_tokens": sent, "output_tokens": made, "total_tokens": sent + made}
        self.gate.settle(call.scope, call.bound, usage if knows else None)
        if refused is False:
            self.gate.succeeded(call.scope, self.gate.epoch)
        else:
            self.gate.rate_limited(call.scope, refused, self.gate.epoch, 0)

    @rule(which=st.integers(0), wait=st.one_of(st.none(), st.floats(0, 30)))
    def refuse(self, which: int, wait: float | None) -> None:
        if running := self.in_flight:
            call = running[which % len(running)]
            self.do(lambda: self._end(call, 0.0, refused=wait))
            if wait is not None:
                self.pauses.append((call.scope, self.loop.time(), self.loop.time() + wait))

    @rule(which=st.integers(0), turns=st.integers(0, 4))
    def cancel(self, which: int, turns: int) -> None:
        """At any point: also in the turn in which its permit comes."""
        if not (waiting := self.waiting):
            return
        call = waiting[which % len(waiting)]

        async def later() -> None:
            for _ in range(turns):
                await asyncio.sleep(0)
            assert call.task is not None
            call.task.cancel()
            await asyncio.wait([call.task])

        self.runner.run(later())

    @rule(scope=SCOPES, limit=st.integers(30, 600), remaining=st.integers(0, 600))
    def tell(self, scope: str | None, limit: int, remaining: int) -> None:
        told = Allowance(limit, remaining, 2.0)
        self.do(lambda: self.gate.heard(scope, QuotaReading(requests=told)))

    @invariant()
    def no_minute_has_more_starts_or_tokens_than_allowed(self) -> None:
        times = sorted(call.started or 0.0 for call in self.started)
        for first, after in zip(times, times[RPM:]):
            assert after - first >= 60
        now = self.loop.time()
        held = 0
        for call in self.started:
            if call.ended is None:
                held += call.bound.input_tokens + (call.bound.output_tokens or 0)
            elif call.ended > now - 60:
                held += call.used
        assert held <= TPM

    @invariant()
    def who_comes_first_is_served_first(self) -> None:
        for scope in (None, "a", "b"):
            numbers = [call.number for call in self.started if call.scope == scope]
            assert numbers == sorted(numbers)

    @invariant()
    def no_one_starts_in_a_pause(self) -> None:
        for scope, since, until in self.pauses[-3:]:
            for call in self.started[-20:]:
                if call.scope == scope and call.started is not None:
                    assert not since < call.started < until - 1e-6

    def teardown(self) -> None:
        """All who wait get in, once the others have ended: no permit is lost."""

        async def end_all() -> None:
            deadline = self.loop.time() + 100_000
            while self.waiting or self.in_flight:
                for call in self.in_flight:
                    self._end(call, 0.0)
                await asyncio.sleep(1)
                assert self.loop.time() < deadline, "someone waits for ever"
            await asyncio.sleep(200)
            assert math.isclose(self.gate.headroom("a"), 1.0)
            await self.gate.aclose()

        self.runner.run(end_all())
        self.runner.close()


TestGate = GateMachine.TestCase
TestGate.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
