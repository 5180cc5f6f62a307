"""Whatever happens, every item ends in exactly one result, and the totals add up."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batch_llm import (
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorClosedError,
    ProcessorConfig,
    RateLimitConfig,
    RetryConfig,
    ServerError,
    SourceError,
    WorkItemResult,
)

from ..standins import Ear, Model, Step, item, limited, now
from ..virtual import run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)

# What each call of a model may come to, by the letter in an item's plan.
FATES: dict[str, Callable[[], Any]] = {
    "o": lambda: "out",
    "s": lambda: ServerError("down", status_code=503, usage={"input_tokens": 3}),
    "l": limited,
    "r": lambda: limited(7.0),
    "t": lambda: "late",  # takes longer than the limit
    "b": lambda: TypeError("bug"),
    "v": lambda: type("ValidationError", (ValueError,), {})("does not fit"),
    "c": asyncio.CancelledError,
}
LIMIT_SECONDS = 10.0


class Fated(Model):
    """Does with each item what its plan says: one letter a call, the last one for ever."""

    def __init__(self, scope: str | None) -> None:
        super().__init__(usage={"input_tokens": 10, "output_tokens": 1})
        self.quota_scope = scope
        self.calls_of: Counter[str] = Counter()
        self.is_open = False
        self.faults: list[str] = []

    async def prepare(self) -> None:
        await super().prepare()
        await asyncio.sleep(0.5)
        self.is_open = True

    async def aclose(self) -> None:
        await super().aclose()
        self.is_open = False

    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        if not self.is_open:
            self.faults.append("called while closed")
        plan, seconds = prompt.split("|")[1:]
        call = min(self.calls_of[prompt], len(plan) - 1)
        self.calls_of[prompt] += 1
        self.starts.append(now())
        fate = plan[call]
        if waits := (LIMIT_SECONDS * 3 if fate == "t" else float(seconds)):
            await asyncio.sleep(waits)
        outcome = FATES[fate]()
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome, self.usage


@dataclass
class Case:
    """One run: what goes in, how, and what cuts in."""

    plans: list[tuple[str, float, int]]
    source: str
    queue_size: int
    workers: Any
    order: Any
    rpm: float | None
    end: str
    moment: float
    turns: int
    retry: RetryConfig
    middleware: bool
    kept: list[WorkItemResult[Any, Any]] = field(default_factory=list)


plans = st.lists(
    st.tuples(
        st.text("oooslrtbvc", min_size=1, max_size=4),
        st.sampled_from([0.0, 0.0, 0.3, 1.0, 4.0]),
        st.integers(0, 2),
    ),
    max_size=25,
)

cases = st.builds(
    Case,
    plans=plans,
    source=st.sampled_from(["list", "generator", "stream", "add", "add+list", "add+stream"]),
    queue_size=st.sampled_from([0, 0, 1, 2, 5]),
    workers=st.sampled_from([1, 2, 3, 8, 40, "auto"]),
    order=st.sampled_from(["completion", "input"]),
    rpm=st.sampled_from([None, None, 30.0, 600.0]),
    end=st.sampled_from(
        ["none", "none", "stop", "cancel", "shutdown", "cleanup", "leave", "stop twice"]
    ),
    moment=st.one_of(st.sampled_from([0.0, 0.5, 0.8, 1.0, 1.5, 10.5]), st.floats(0, 200)),
    turns=st.integers(0, 5),
    retry=st.builds(
        RetryConfig,
        max_attempts=st.integers(1, 3),
        initial_wait=st.sampled_from([0.0, 1.0]),
        jitter=st.booleans(),
        max_rate_limit_retries=st.integers(0, 3),
    ),
    middleware=st.booleans(),
)


def work_of(case: Case, models: list[Fated]) -> list[LLMWorkItem]:
    return [
        LLMWorkItem(str(number), models[which], f"{number}|{plan}|{seconds}", number)
        for number, (plan, seconds, which) in enumerate(case.plans)
    ]


def source_of(kind: str, work: list[LLMWorkItem], given: list[str]) -> Any:
    def generator() -> Iterator[LLMWorkItem]:
        for each in work:
            given.append(each.item_id)
            yield each

    async def stream() -> AsyncIterator[LLMWorkItem]:
        for number, each in enumerate(work):
            if number % 3 == 1:
                await asyncio.sleep(0.4)
            given.append(each.item_id)
            yield each

    if kind == "list":
        given.extend(each.item_id for each in work)
        return work
    return generator() if kind == "generator" else stream()


async def play(
    case: Case,
) -> tuple[list[WorkItemResult[Any, Any]], set[str], list[Fated], Any, Ear]:
    """Run the case; return all results, what had gone in, and what else is to be checked."""
    models = [Fated(None), Fated("scope"), Fated("scope")]
    work = work_of(case, models)
    ear = Ear()
    accepted: list[str] = []
    processor = ParallelBatchProcessor[Any, Any, Any](
        config=ProcessorConfig(
            max_workers=case.workers,
            timeout_per_item=LIMIT_SECONDS,
            max_queue_size=case.queue_size,
            max_requests_per_minute=case.rpm,
            retry=case.retry,
            rate_limit=RateLimitConfig(cooldown_seconds=20.0, slow_start_items=3),
        ),
        observers=[ear],
        middlewares=[Step(before=skip_every_seventh)] if case.middleware else [],
    )

    parts = case.source.split("+")
    queued = work if parts == ["add"] else work[: len(work) // 2] if "add" in parts else []
    rest = work[len(queued) :]

    async def add() -> None:
        for each in queued:
            try:
                await processor.add_work(each)
            except ProcessorClosedError:
                return
            accepted.append(each.item_id)

    async def process() -> None:
        given: list[str] = []
        source = None if parts == ["add"] else source_of(parts[-1], rest, given)
        try:
            async with aclosing(processor.stream(source, order=case.order)) as results:
                async for result in results:
                    case.kept.append(result)
        finally:
            accepted.extend(given)

    async with processor:
        adding = asyncio.create_task(add())
        if case.turns % 2:
            await adding
        running = asyncio.create_task(process())
        if case.end != "none":
            await asyncio.sleep(case.moment)
            for _ in range(case.turns):
                await asyncio.sleep(0)
            await cut_in(case.end, processor, running)
        if case.end != "leave":
            await asyncio.wait([running])
        if case.end in ("shutdown", "cleanup"):
            await asyncio.wait([adding])
        elif case.end != "leave":
            case.kept.extend(processor.results.results)
            await drain(processor, adding, case.kept)
    if case.end in ("shutdown", "cleanup", "leave"):
        case.kept.extend(processor.results.results)
    await asyncio.wait([adding, running])
    for task in (adding, running):
        if not task.cancelled() and (error := task.exception()) is not None:
            assert isinstance(error, (ProcessorClosedError, RuntimeError)), repr(error)
    return case.kept, set(accepted), models, await processor.get_stats(), ear


async def cut_in(
    end: str, processor: ParallelBatchProcessor[Any, Any, Any], running: asyncio.Task[None]
) -> None:
    if end.startswith("stop"):
        processor.stop()
    if end == "stop twice":
        await asyncio.sleep(0.1)
        processor.stop()
    if end == "cancel":
        running.cancel()
    if end in ("shutdown", "cleanup"):
        await getattr(processor, end)()


async def drain(
    processor: ParallelBatchProcessor[Any, Any, Any], adding: asyncio.Task[None], kept: list[Any]
) -> None:
    """Process what was added too late for the run, until nothing is left."""
    while True:
        batch = await processor.process_all()
        kept.extend(batch.results)
        if adding.done() and not batch.results:
            return
        await asyncio.sleep(0.1)


def skip_every_seventh(work: LLMWorkItem) -> LLMWorkItem | None:
    return None if int(work.item_id) % 7 == 3 else work


@MANY
@given(cases)
def test_every_item_that_went_in_ends_in_exactly_one_result(case: Case) -> None:
    results, accepted, models, stats, ear = run(lambda: play(case))
    ids = Counter(result.item_id for result in results)
    assert [name for name, count in ids.items() if count > 1] == []
    if case.end in ("leave", "shutdown", "cleanup"):
        # What was still in the queue of a processor that never began is no run's.
        assert set(ids) <= {str(number) for number in range(len(case.plans))}
    else:
        assert set(ids) >= accepted - {""}
    check_each(results, case)
    for model in models:
        assert model.in_flight == 0
        assert model.faults == []
        assert model.closings in (0, model.preparations, 1)
    assert stats["processed"] == stats["succeeded"] + stats["failed"]
    assert stats["processed"] == stats["total"]
    ended = len(ear.heard(ProcessingEvent.ITEM_COMPLETED)) + len(
        ear.heard(ProcessingEvent.ITEM_FAILED)
    )
    assert ended >= len(results)


def check_each(results: list[WorkItemResult[Any, Any]], case: Case) -> None:
    for result in results:
        plan = case.plans[int(result.item_id)][0]
        assert result.context == int(result.item_id)
        if result.success:
            assert result.output in ("out", "late")
            assert result.error is None
            assert result.outcome == "succeeded"
        else:
            assert result.output is None
            assert result.error
            assert result.outcome == ("cancelled" if was_cut(result) else "failed")
        assert result.attempts <= case.retry.max_attempts + case.retry.max_rate_limit_retries
        if case.end == "none":
            assert result.outcome != "cancelled"
            assert result.success is succeeds(plan, case, int(result.item_id))
        usage = result.token_usage
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
        assert usage["input_tokens"] >= (10 if result.success else 0)


def was_cut(result: WorkItemResult[Any, Any]) -> bool:
    return result.error_category == "cancelled"


def succeeds(plan: str, case: Case, number: int) -> bool:
    """Return what the rules say of an item that nothing cuts short."""
    if case.middleware and number % 7 == 3:
        return False
    attempts = refusals = call = 0
    while True:
        fate = plan[min(call, len(plan) - 1)]
        call += 1
        if fate in "ob":
            return fate == "o"
        if fate in "lr":
            refusals += 1
            if refusals > case.retry.max_rate_limit_retries:
                return False
        else:
            attempts += 1
            if attempts >= case.retry.max_attempts:
                return False


@MANY
@given(cases)
def test_process_all_returns_what_the_rules_say_in_the_order_asked_for(case: Case) -> None:
    async def main() -> None:
        models = [Fated(None), Fated("scope"), Fated("scope")]
        work = work_of(case, models)
        processor = ParallelBatchProcessor[Any, Any, Any](
            config=ProcessorConfig(
                max_workers=case.workers,
                timeout_per_item=LIMIT_SECONDS,
                max_queue_size=case.queue_size,
                retry=case.retry,
                rate_limit=RateLimitConfig(cooldown_seconds=20.0, slow_start_items=3),
            )
        )
        async with processor:
            half = len(work) // 2 if case.source.startswith("add") else 0
            for each in work[:half]:
                await processor.add_work(each)
            kind = {"add": "list", "add+list": "list", "add+stream": "stream"}.get(
                case.source, case.source
            )
            batch = await processor.process_all(source_of(kind, work[half:], []), order=case.order)
        ids = [int(result.item_id) for result in batch]
        assert sorted(ids) == list(range(len(work)))
        if case.order == "input":
            assert ids == sorted(ids)
        case.middleware = False
        for result in batch:
            number = int(result.item_id)
            assert result.success is succeeds(case.plans[number][0], case, number)
        assert batch.total_items == batch.succeeded + batch.failed
        assert batch.cancelled == 0
        for model in models:
            used = [w for w in work if w.strategy is model]
            assert model.preparations == (1 if used else 0)
            assert model.cleanups == len(used)
            assert model.closings == (1 if used else 0)

    run(main)


@MANY
@given(
    count=st.integers(0, 12),
    fails_at=st.integers(0, 12),
    workers=st.integers(1, 5),
    is_async=st.booleans(),
    seconds=st.sampled_from([0.0, 1.0]),
)
def test_a_source_that_fails_anywhere_keeps_all_it_gave(
    count: int, fails_at: int, workers: int, is_async: bool, seconds: float
) -> None:
    model = Model(seconds=seconds)

    def rows() -> Iterator[LLMWorkItem]:
        for number in range(count):
            if number == fails_at:
                raise OSError
            yield item(str(number), model)

    async def stream() -> AsyncIterator[LLMWorkItem]:
        for each in rows():
            await asyncio.sleep(0)
            yield each

    async def main() -> None:
        async with ParallelBatchProcessor(max_workers=workers) as processor:
            given = min(count, fails_at)
            try:
                batch = await processor.process_all(stream() if is_async else rows(), order="input")
            except SourceError as error:
                assert fails_at < count
                batch = error.result  # type: ignore[assignment]
            else:
                assert fails_at >= count
            assert [result.item_id for result in batch] == [str(n) for n in range(given)]
            assert batch.succeeded == given

    run(main)
