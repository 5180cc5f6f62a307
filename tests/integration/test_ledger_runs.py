"""A processor with a ledger: what is replayed, what is called again, and what is never lost."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from batch_llm import (
    ConfigurationError,
    ConnectionFailedError,
    InvalidRequestError,
    LedgerConfig,
    LedgerError,
    LLMCallStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    PricedModel,
    ProcessorConfig,
    TokenBound,
)
from batch_llm.ledger import read_ledger
from batch_llm.ledger.jsonl import JsonlStore
from batch_llm.ledger.sqlite import SqliteStore

from ..standins import NO_WAIT, Model, Step, items

if TYPE_CHECKING:
    from collections.abc import Callable


class Known(Model):
    """A model with an identity."""

    identity = "model 1"

    def fingerprint(self) -> str:
        return self.identity


class Priced(Known):
    """A model whose calls cost 1 USD a million tokens of input, and are bounded."""

    priced_as = PricedModel("openai", "gpt-4.1")

    def token_bound(self, prompt: Any) -> TokenBound:
        return TokenBound(1_000, 1_000)


class FullDisk:
    """Makes the files of ledgers refuse to grow, once it is full."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.is_full = False
        for store in (SqliteStore, JsonlStore):
            patch.setattr(store, "write", self._over(store.write))

    def _over(self, write: Callable[..., None]) -> Callable[..., None]:
        def limited(store: Any, entries: Any) -> None:
            if self.is_full:
                raise OSError(28, "No space left on device")
            write(store, entries)

        return limited


@pytest.fixture(params=["run.db", "run.jsonl"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / request.param


async def run(ledger: Any, work: list[LLMWorkItem], **more: Any) -> Any:
    config = ProcessorConfig(max_workers=4, retry=NO_WAIT, **more.pop("settings", {}))
    async with ParallelBatchProcessor(config=config, ledger=ledger, **more) as processor:
        result = await processor.process_all(work, order="input")
        return result, await processor.get_stats()


async def test_a_finished_run_makes_no_call_again(ledger: Path) -> None:
    model = Known(lambda prompt, _: prompt.upper(), usage={"input_tokens": 3, "output_tokens": 1})
    await run(ledger, items(10, model))
    again = Known("never asked")
    result, stats = await run(ledger, items(10, again))
    assert again.calls == 0
    assert [each.output for each in result] == [str(number) for number in range(10)]
    assert {each.origin for each in result} == {"ledger"}
    assert result.results[0].token_usage["total_tokens"] == 4
    assert stats["reused"] == 10
    assert stats["total_tokens"] == 0


@pytest.mark.parametrize("change", ["id", "prompt", "context", "strategy"])
async def test_what_has_changed_is_called_again(ledger: Path, change: str) -> None:
    model = Known("out")
    item = LLMWorkItem("a", model, "prompt", {"row": 1})
    await run(ledger, [item])
    changed = {
        "id": lambda: dataclasses.replace(item, item_id="b"),
        "prompt": lambda: dataclasses.replace(item, prompt="another"),
        "context": lambda: dataclasses.replace(item, context={"row": 2}),
        "strategy": lambda: item,
    }[change]()
    if change == "strategy":
        model.identity = "model 2"
    await run(ledger, [changed])
    assert model.calls == 2


async def test_failures_are_called_again_and_successes_are_not(ledger: Path) -> None:
    model = Known(lambda prompt, _: InvalidRequestError("no") if prompt in "13" else prompt)
    first, _ = await run(ledger, items(5, model))
    assert first.failed == 2
    model.answer = None
    second, stats = await run(ledger, items(5, model))
    assert second.succeeded == 5
    assert model.prompts[5:] == ["1", "3"]
    assert stats["reused"] == 3
    assert read_ledger(ledger).summary().failed == 0


class Answer(BaseModel):
    """A model of pydantic's."""

    word: str
    count: int


async def test_outputs_come_back_as_they_were(ledger: Path) -> None:
    class Structured(LLMCallStrategy[Answer]):
        async def execute(self, *_: Any) -> Any:
            return Answer(word="a", count=2), {}

        def fingerprint(self) -> str:
            return "structured"

    strategy = Structured()
    await run(ledger, items(1, strategy))
    result, _ = await run(ledger, items(1, strategy))
    assert result.results[0].output == Answer(word="a", count=2)
    assert result.results[0].origin == "ledger"


async def test_a_strategy_without_identity_is_refused_before_any_call(ledger: Path) -> None:
    model = Model("out")
    with pytest.raises(ConfigurationError, match=r"fingerprint\(\)"):
        await run(ledger, items(3, model))
    async with ParallelBatchProcessor(ledger=ledger) as processor:
        with pytest.raises(ConfigurationError, match=r"fingerprint\(\)"):
            await processor.add_work(LLMWorkItem("a", model, "prompt"))
    assert model.calls == 0


async def test_an_output_that_cannot_be_kept_is_refused_before_any_call(ledger: Path) -> None:
    class Opaque:
        pass

    class Strange(LLMCallStrategy[Opaque]):
        calls = 0

        async def execute(self, *_: Any) -> Any:
            self.calls += 1
            return Opaque(), {}

        def fingerprint(self) -> str:
            return "strange"

    strategy = Strange()
    with pytest.raises(ConfigurationError, match="Strange returns"):
        await run(ledger, items(3, strategy))
    assert strategy.calls == 0


async def test_an_output_that_proves_unkeepable_ends_the_run_and_is_handed_out(
    ledger: Path,
) -> None:
    model = Known([("a", "tuple")])
    async with ParallelBatchProcessor(max_workers=1, ledger=ledger) as processor:
        with pytest.raises(LedgerError, match="cannot be kept") as caught:
            await processor.process_all(items(3, model))
    assert model.calls == 1
    assert caught.value.result is not None
    assert [each.success for each in caught.value.result] == [True, False, False]
    assert caught.value.result.results[0].output == ("a", "tuple")


async def test_a_second_processor_on_the_same_ledger_is_refused(ledger: Path) -> None:
    model = Known("out")
    async with ParallelBatchProcessor(ledger=ledger) as processor:
        await processor.process_all(items(1, model))
        with pytest.raises(LedgerError, match=ledger.name):
            await run(ledger, items(1, model))
    await run(ledger, items(1, model))
    assert model.calls == 1


async def test_a_result_is_durable_before_anyone_sees_it(ledger: Path) -> None:
    kept: list[bool] = []

    def seen(result: Any) -> None:
        kept.append(result.item_id in {row.item_id for row in read_ledger(ledger).results()})

    await run(ledger, items(20, Known("out", seconds=0.001)), post_processor=seen)
    async with ParallelBatchProcessor(ledger=ledger) as processor:
        work = [LLMWorkItem(f"more {n}", Known("out"), "prompt") for n in range(20)]
        async for result in processor.stream(work):
            seen(result)
    assert kept == [True] * 40


async def test_replays_go_through_middleware_and_post_processor_like_any_result(
    ledger: Path,
) -> None:
    def louder(result: Any) -> Any:
        result.output += "!"
        return result

    for _ in range(2):
        seen: list[str] = []
        result, _ = await run(
            ledger,
            items(1, Known("out")),
            middlewares=[Step(after=louder)],
            post_processor=lambda result, seen=seen: seen.append(result.output),
        )
        assert result.results[0].output == "out!"
        assert seen == ["out!"]


async def test_what_a_middleware_makes_of_a_failure_is_asked_for_again(ledger: Path) -> None:
    from batch_llm import WorkItemResult

    def fallback(item: Any, _: Exception) -> Any:
        return WorkItemResult(item.item_id, True, "made up")

    model = Known(InvalidRequestError("no"))
    for calls in (1, 2):
        result, _ = await run(ledger, items(1, model), middlewares=[Step(error=fallback)])
        assert result.results[0].output == "made up"
        assert model.calls == calls
    assert read_ledger(ledger).summary().failed == 1


async def test_cancelled_items_are_not_finished(ledger: Path) -> None:
    model = Known("out", seconds=0.2)
    async with ParallelBatchProcessor(max_workers=2, ledger=ledger) as processor:
        running = asyncio.create_task(processor.process_all(items(6, model)))
        while model.calls < 2:
            await asyncio.sleep(0)
        processor.stop()
        first = await running
    assert (first.succeeded, first.cancelled) == (2, 4)
    counts = read_ledger(ledger).summary().runs[0].counts
    assert (counts["succeeded"], counts["failed"], counts["cancelled"]) == (2, 0, 4)
    second, stats = await run(ledger, items(6, model))
    assert second.succeeded == 6
    assert stats["reused"] == 2


async def test_a_stop_while_the_ledger_is_opened_holds(ledger: Path) -> None:
    model = Known("out")
    async with ParallelBatchProcessor(max_workers=2, ledger=ledger) as processor:
        running = asyncio.create_task(processor.process_all(items(6, model)))
        await asyncio.sleep(0)
        processor.stop()
        result = await running
    assert (result.cancelled, model.calls) == (6, 0)


async def test_a_stop_holds_too_where_a_full_queue_has_begun_the_run(ledger: Path) -> None:
    model = Known("out")
    config = ProcessorConfig(max_workers=2, max_queue_size=2, ledger=LedgerConfig(ledger))
    async with ParallelBatchProcessor(config=config) as processor:

        async def add() -> None:
            for item in items(6, model):
                await processor.add_work(item)

        adding = asyncio.create_task(add())
        await asyncio.sleep(0)
        processor.stop()
        result = await processor.process_all()
        await adding
    assert (result.succeeded, model.calls) == (0, 0)


async def test_a_cancellation_while_a_result_is_written_loses_nothing(ledger: Path) -> None:
    model = Known("out")
    seen: list[str] = []
    async with ParallelBatchProcessor(max_workers=8, ledger=ledger) as processor:

        async def read() -> None:
            async for result in processor.stream(items(5_000, model)):
                seen.append(result.item_id)

        reading = asyncio.create_task(read())
        while len(seen) < 100:
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        seen += [each.item_id for each in processor.results if each.success]
    kept = {row.item_id for row in read_ledger(ledger).results()}
    assert set(seen) <= kept
    assert len(kept) < 5_000


async def test_equal_requests_are_answered_from_the_cache_where_that_is_asked_for(
    ledger: Path,
) -> None:
    model = Known("out", usage={"input_tokens": 5, "output_tokens": 1})
    config = LedgerConfig(ledger, response_cache=True)
    await run(config, [LLMWorkItem("a", model, "the same")])
    result, _ = await run(config, [LLMWorkItem("b", model, "the same")])
    assert model.calls == 1
    assert result.results[0].origin == "cache"
    assert read_ledger(ledger).summary().usage["total_tokens"] == 6, "paid for once"
    result, _ = await run(ledger, [LLMWorkItem("b", model, "the same")])
    assert result.results[0].origin == "ledger"
    await run(ledger, [LLMWorkItem("c", model, "the same")])
    assert model.calls == 2


def test_a_dry_run_writes_no_ledger(ledger: Path) -> None:
    asyncio.run(run(ledger, items(2, Known("out")), settings={"dry_run": True}))
    assert not ledger.exists()


async def test_several_runs_of_one_processor_replay_each_other(ledger: Path) -> None:
    model = Known("out")
    async with ParallelBatchProcessor(ledger=ledger) as processor:
        for _ in range(3):
            await processor.process_all(items(4, model))
    assert model.calls == 4
    summary = read_ledger(ledger).summary()
    assert [run.counts["reused"] for run in summary.runs] == [0, 4, 4]
    assert all(run.ended_at is not None for run in summary.runs)


async def test_a_ledger_that_can_no_longer_be_written_ends_the_run_with_all_that_is_paid_for(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)

    def answer(prompt: str, _: int) -> str:
        disk.is_full = True
        return prompt

    model = Known(answer)
    async with ParallelBatchProcessor(max_workers=2, ledger=ledger) as processor:
        with pytest.raises(LedgerError, match="No space left on device") as caught:
            await processor.process_all(items(50, model))
    result = caught.value.result
    assert result is not None
    assert result.total_items == 50
    assert 1 <= result.succeeded <= 2
    assert model.calls == result.succeeded


async def test_the_cost_of_all_runs_counts_against_the_cap(ledger: Path) -> None:
    usage = {"input_tokens": 1_000, "output_tokens": 1_000}
    model = Priced("out", usage=usage)  # 0.002 + 0.008 USD a call
    first, _ = await run(ledger, items(3, model), max_cost_usd=0.035)
    assert first.succeeded == 3
    assert first.results[0].cost_usd == pytest.approx(0.010)
    more = [LLMWorkItem(f"more {n}", model, "prompt") for n in range(3)]
    second, _ = await run(ledger, more, max_cost_usd=0.035)
    assert second.succeeded == 0
    assert {each.error_category for each in second} == {"budget_exceeded"}
    third, _ = await run(ledger, more, max_cost_usd=0.045)
    assert third.succeeded == 1
    assert read_ledger(ledger).summary().spent_usd == pytest.approx(0.040)


async def test_a_call_whose_answer_never_came_keeps_its_reservation(ledger: Path) -> None:
    model = Priced([ConnectionFailedError("reset"), "out"], usage={"input_tokens": 1})
    result, _ = await run(ledger, items(1, model), max_cost_usd=0.025)
    assert result.results[0].success
    assert result.results[0].unanswered_calls == 1
    summary = read_ledger(ledger).summary()
    assert summary.held_usd == pytest.approx(0.010)
    assert summary.held_calls == 1
    again, _ = await run(ledger, [LLMWorkItem("b", model, "x")] * 1, max_cost_usd=0.015)
    assert again.results[0].error_category == "budget_exceeded"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda model: setattr(model, "priced_as", None), "priced_as"),
        (lambda model: setattr(model, "priced_as", PricedModel("openai", "no-such")), "price"),
        (
            lambda model: setattr(model, "token_bound", lambda _: TokenBound(1, None)),
            "max_output_tokens",
        ),
    ],
)
async def test_a_cap_that_cannot_be_kept_refuses_every_call(
    change: Callable[[Any], None], word: str
) -> None:
    model = Priced("out")
    change(model)
    result, _ = await run(None, items(2, model), max_cost_usd=1.0)
    assert model.calls == 0
    assert result.failed == 2
    assert all(word in str(each.error) or word in str(each.exception) for each in result)


async def test_a_ledger_that_could_not_be_opened_is_opened_by_the_next_run(ledger: Path) -> None:
    model = Known("out")
    async with ParallelBatchProcessor(ledger=ledger) as processor:
        holder = ParallelBatchProcessor(ledger=ledger)
        await holder.process_all(items(1, model))
        with pytest.raises(LedgerError):
            await processor.process_all(items(3, model))
        await holder.cleanup()
        result = await processor.process_all(items(3, model))
    assert result.succeeded == 3
    assert read_ledger(ledger).summary().succeeded == 3


async def test_a_run_that_is_cancelled_while_its_ledger_opens_leaves_nothing_locked(
    ledger: Path,
) -> None:
    model = Known("out")
    async with ParallelBatchProcessor(ledger=ledger, max_workers=1) as processor:
        for turns in range(6):
            beginning = asyncio.create_task(processor.process_all(items(2, model)))
            for _ in range(turns):
                await asyncio.sleep(0)
            beginning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await beginning
        result = await processor.process_all(items(2, model))
    assert result.succeeded == 2
    assert {each.item_id for each in read_ledger(ledger).results()} == {"0", "1"}


async def test_two_who_begin_at_once_are_told_apart(ledger: Path) -> None:
    model = Known("out")
    async with ParallelBatchProcessor(ledger=ledger) as processor:
        for work in items(10, model):
            await processor.add_work(work)
        first, second = await asyncio.gather(
            processor.process_all(), processor.process_all(), return_exceptions=True
        )
    assert not isinstance(first, BaseException)
    assert first.succeeded == 10
    assert isinstance(second, RuntimeError)
    assert "already processing" in str(second)
    assert read_ledger(ledger).summary().succeeded == 10


@pytest.mark.parametrize("name", ["run_deadline_seconds", "item_deadline_seconds"])
async def test_a_success_is_kept_although_a_deadline_falls_into_its_cleanup(
    ledger: Path, name: str
) -> None:
    class Lingering(Known):
        async def cleanup(self) -> None:
            await asyncio.sleep(0.2)

    model = Lingering("out")
    result, _ = await run(ledger, items(3, model), settings={name: 0.1})
    assert result.succeeded == 3
    assert read_ledger(ledger).summary().succeeded == 3


async def test_an_item_deadline_in_a_middlewares_on_error_leaves_the_failure_what_it_is(
    ledger: Path,
) -> None:
    async def slowly(_: Any, __: Exception) -> None:
        await asyncio.sleep(0.2)

    model = Known(InvalidRequestError("no"))
    result, _ = await run(
        ledger,
        items(1, model),
        middlewares=[Step(error=slowly)],
        settings={"item_deadline_seconds": 0.1},
    )
    assert result.results[0].error == "InvalidRequestError: no"
    assert read_ledger(ledger).summary().failed == 1


async def test_a_full_disk_loses_no_answer_under_a_cap_either(
    ledger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)

    async def answer(prompt: str, _: int) -> str:
        await asyncio.sleep(0.01 * int(prompt))
        disk.is_full = True
        return prompt

    model = Priced(answer, usage={"input_tokens": 1, "output_tokens": 1})
    async with ParallelBatchProcessor(max_workers=8, ledger=ledger, max_cost_usd=1.0) as processor:
        with pytest.raises(LedgerError) as caught:
            await processor.process_all(items(8, model))
    result = caught.value.result
    assert result is not None
    assert result.succeeded == model.calls == 8


@pytest.mark.parametrize("cap", [None, 1.0])
async def test_what_a_cancelled_item_has_cost_counts(ledger: Path, cap: float | None) -> None:
    from batch_llm import OutputValidationError, RetryConfig

    wrong = OutputValidationError("no", usage={"input_tokens": 1_000, "output_tokens": 1_000})
    model = Priced([wrong, ConnectionRefusedError("later"), "never"])
    config = ProcessorConfig(retry=RetryConfig(initial_wait=30), run_deadline_seconds=0.2)
    async with ParallelBatchProcessor(config=config, ledger=ledger, max_cost_usd=cap) as processor:
        result = await processor.process_all(items(1, model))
    assert result.cancelled == 1
    assert result.results[0].cost_usd == pytest.approx(0.010)
    assert read_ledger(ledger).summary().spent_usd == pytest.approx(0.010)


async def test_a_close_that_is_cut_off_lets_the_ledger_go(ledger: Path) -> None:
    class Hanging(Known):
        async def aclose(self) -> None:
            await asyncio.sleep(60)

    processor = ParallelBatchProcessor(ledger=ledger)
    await processor.process_all(items(1, Hanging("out")))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(processor.cleanup(), 0.05)
    result, _ = await run(ledger, items(1, Known("never asked")))
    assert result.results[0].origin == "ledger"


def test_a_processor_takes_its_ledger_to_another_event_loop(ledger: Path) -> None:
    model = Known("out")
    processor = ParallelBatchProcessor(ledger=ledger)
    for _ in range(3):
        result = asyncio.run(processor.process_all(items(2, model)))
        assert result.succeeded == 2
    asyncio.run(processor.cleanup())
    assert model.calls == 2


async def test_a_prompt_without_a_bound_needs_none_for_tokens_a_minute() -> None:
    class Unbounded(Known):
        def token_bound(self, prompt: Any) -> TokenBound:
            raise ConfigurationError("nobody knows")

    model = Unbounded("out", usage={"input_tokens": 10, "output_tokens": 1})
    result, _ = await run(None, items(4, model), settings={"max_tokens_per_minute": 100_000})
    assert result.succeeded == 4
    capped, _ = await run(None, items(4, model), max_cost_usd=1.0)
    assert capped.succeeded == 0
