"""One call for many prompts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from batch_llm import (
    ConfigurationError,
    InputError,
    LLMRequest,
    ProcessorConfig,
    RequestStrategy,
    RetryConfig,
    SourceError,
    process_prompts,
    process_prompts_sync,
    process_stream,
    process_stream_sync,
)

from ..standins import Ear, Model, Step, names
from ..virtual import run


class Takes(Model, RequestStrategy[Any]):
    """A model that takes requests too."""


async def backwards(prompt: str, attempt: int) -> str:
    """Answer the later prompts first."""
    await asyncio.sleep(10 - int(prompt))
    return prompt


# -- process_prompts


@pytest.fixture
def threads_before() -> int:
    """How many threads there are before the test: other suites may keep one for the session."""
    return threading.active_count()


def test_each_prompt_has_its_result_in_the_order_of_the_prompts() -> None:
    async def main() -> None:
        batch = await process_prompts([str(n) for n in range(5)], Model(backwards), max_workers=5)
        assert [result.output for result in batch] == ["0", "1", "2", "3", "4"]
        assert names(batch) == ["1", "2", "3", "4", "5"], "named by their number, from 1"

    run(main)


def test_completion_order_may_be_asked_for() -> None:
    async def main() -> None:
        batch = await process_prompts(
            [str(n) for n in range(5)], Model(backwards), order="completion", max_workers=5
        )
        assert [result.output for result in batch] == ["4", "3", "2", "1", "0"]

    run(main)


def kinds() -> dict[str, Any]:
    async def stream() -> AsyncIterator[str]:
        for prompt in ("a", "b"):
            await asyncio.sleep(0)
            yield prompt

    return {
        "list": ["a", "b"],
        "tuple": ("a", "b"),
        "iterator": iter(["a", "b"]),
        "generator": (prompt for prompt in ("a", "b")),
        "dict values": {1: "a", 2: "b"}.values(),
        "async generator": stream(),
    }


@pytest.mark.parametrize("kind", list(kinds()))
def test_prompts_may_come_from_anywhere(kind: str) -> None:
    async def main() -> None:
        batch = await process_prompts(kinds()[kind], Model())
        assert [(result.item_id, result.output) for result in batch] == [("1", "a"), ("2", "b")]

    run(main)


def test_a_prompt_may_bring_its_id_and_be_a_request() -> None:
    async def main() -> None:
        model = Takes(lambda prompt, attempt: getattr(prompt, "text", prompt))
        request = LLMRequest("three", system="be brief")
        batch = await process_prompts(["one", ("x", "two"), request, ("y", request)], model)
        assert [(result.item_id, result.output) for result in batch] == [
            ("1", "one"),
            ("x", "two"),
            ("3", "three"),
            ("y", "three"),
        ]
        assert request in model.prompts

    run(main)


def test_no_prompts_are_no_results() -> None:
    async def main() -> None:
        assert (await process_prompts([], Model())).results == []

    run(main)


def test_options_are_those_of_the_processor() -> None:
    ear, seen, reports = Ear(), [], []

    async def main() -> None:
        batch = await process_prompts(
            ["a", "b"],
            Model([ConnectionError(), "ok", "ok"]),
            max_workers=1,
            config=ProcessorConfig(progress_interval=1, retry=RetryConfig(initial_wait=0.0)),
            timeout_per_item=5.0,
            observers=[ear],
            middlewares=[Step(after=lambda result: setattr(result, "output", "after") or result)],
            post_processor=lambda result: seen.append(result.output),
            progress_callback=lambda done, total, last: reports.append((done, total)),
        )
        assert batch.succeeded == 2

    run(main)
    assert seen == ["after", "after"]
    assert reports == [(1, 2), (2, 2)]
    assert ear.events


def test_the_strategy_is_prepared_and_closed_once() -> None:
    model = Model()

    async def main() -> None:
        await process_prompts(["a"] * 20, model)

    run(main)
    assert (model.preparations, model.calls, model.cleanups, model.closings) == (1, 20, 20, 1)


@pytest.mark.parametrize("wrong", ["one prompt", LLMRequest("one prompt"), None, 7, object()])
def test_what_is_no_list_of_prompts_is_refused_before_any_call(wrong: Any) -> None:
    model = Takes()

    async def main() -> None:
        with pytest.raises(InputError, match="prompt"):
            await process_prompts(wrong, model)

    run(main)
    assert model.calls == 0


@pytest.mark.parametrize("wrong", [None, 7, b"bytes", ["a"], ("id", None), ("a", "b", "c")])
def test_a_wrong_prompt_in_a_list_is_refused_before_any_call_and_its_number_told(
    wrong: Any,
) -> None:
    model = Model()

    async def main() -> None:
        with pytest.raises(InputError, match="2"):
            await process_prompts(["a", wrong, "c"], model)

    run(main)
    assert model.calls == 0


@pytest.mark.parametrize("name", [None, "", "  ", 7])
def test_an_id_that_is_none_is_refused_in_a_list_before_any_call(name: Any) -> None:
    model = Model()

    async def main() -> None:
        if name is None:
            assert names(await process_prompts([(name, "a")], model)) == ["1"]
            return
        with pytest.raises(ValueError, match="item_id"):
            await process_prompts(["a", (name, "b")], model)
        assert model.calls == 0

    run(main)


def test_a_wrong_prompt_in_a_stream_keeps_what_came_before() -> None:
    def prompts() -> Iterator[Any]:
        yield "a"
        yield "b"
        yield 7

    async def main() -> None:
        with pytest.raises(SourceError) as caught:
            await process_prompts(prompts(), Model())
        assert [result.output for result in caught.value.result] == ["a", "b"]
        assert isinstance(caught.value.__cause__, InputError)

    run(main)


def test_prompts_that_fail_to_come_keep_what_came_before() -> None:
    async def prompts() -> AsyncIterator[str]:
        yield "a"
        raise OSError("disk")

    async def main() -> None:
        with pytest.raises(SourceError) as caught:
            await process_prompts(prompts(), Model())
        assert [result.output for result in caught.value.result] == ["a"]

    run(main)


def test_an_option_that_cannot_work_is_refused() -> None:
    async def main() -> None:
        with pytest.raises(ConfigurationError):
            await process_prompts(["a"], Model(), max_workers=0)
        with pytest.raises(ConfigurationError, match="order"):
            await process_prompts(["a"], Model(), order="random")  # type: ignore[arg-type]

    run(main)


# -- process_stream


def test_a_stream_yields_each_as_it_ends() -> None:
    async def main() -> None:
        loop, seen = asyncio.get_running_loop(), []
        prompts = [str(n) for n in range(3)]
        async for result in process_stream(prompts, Model(backwards), max_workers=3):
            seen.append((result.output, loop.time()))
        assert seen == [("2", 8.0), ("1", 9.0), ("0", 10.0)]

    run(main)


def test_a_stream_in_input_order() -> None:
    async def main() -> None:
        prompts = [str(n) for n in range(3)]
        stream = process_stream(prompts, Model(backwards), order="input", max_workers=3)
        assert [result.output async for result in stream] == ["0", "1", "2"]

    run(main)


def test_a_stream_left_early_cancels_what_is_in_flight_and_closes() -> None:
    model = Model(seconds=5.0)

    async def main() -> None:
        prompts = (str(n) for n in range(10**9))
        async with aclosing(process_stream(prompts, model, max_workers=3)) as results:
            async for _ in results:
                break
        assert model.in_flight == 0
        assert model.closings == 1

    run(main)
    assert model.calls <= 6


def test_a_stream_reads_no_further_than_its_reader() -> None:
    given: list[int] = []

    def prompts() -> Iterator[str]:
        for number in range(10**9):
            given.append(number)
            yield str(number)

    async def main() -> None:
        async with aclosing(process_stream(prompts(), Model(), max_workers=3)) as results:
            for _ in range(100):
                await anext(results)

    run(main)
    assert len(given) < 300


# -- from code that is not async


def test_process_prompts_sync_in_a_script() -> None:
    model = Model()
    batch = process_prompts_sync(["a", "b"], model, max_workers=2)
    assert [result.output for result in batch] == ["a", "b"]
    assert (model.preparations, model.closings) == (1, 1)
    assert process_prompts_sync([("x", "a")], model).results[0].item_id == "x"


def test_process_prompts_sync_inside_a_running_loop(threads_before: int) -> None:
    """As in a notebook."""
    loops: list[Any] = []

    def answer(prompt: str, attempt: int) -> str:
        loops.append(asyncio.get_running_loop())
        return prompt

    async def cell() -> None:
        batch = process_prompts_sync(["a", "b"], Model(answer))
        assert [result.output for result in batch] == ["a", "b"]
        assert asyncio.get_running_loop() not in loops

    asyncio.run(cell())
    assert threading.active_count() == threads_before


@pytest.mark.parametrize("in_loop", [False, True])
def test_errors_of_a_sync_call_come_out_as_they_are(in_loop: bool, threads_before: int) -> None:
    def calls() -> None:
        with pytest.raises(InputError):
            process_prompts_sync("one prompt", Model())
        with pytest.raises(ConfigurationError):
            process_prompts_sync(["a"], Model(), max_workers=0)
        with pytest.raises(SourceError):
            process_prompts_sync(iter([7]), Model())  # type: ignore[list-item]

    async def cell() -> None:
        calls()

    if in_loop:
        asyncio.run(cell())
    else:
        calls()
    assert threading.active_count() == threads_before


@pytest.mark.parametrize("in_loop", [False, True])
@pytest.mark.parametrize("order", ["completion", "input"])
def test_process_stream_sync(in_loop: bool, order: Any, threads_before: int) -> None:
    model = Model()

    def consume() -> list[Any]:
        prompts = (str(n) for n in range(200))
        return [r.output for r in process_stream_sync(prompts, model, order=order, max_workers=4)]

    async def cell() -> list[Any]:
        return consume()

    seen = asyncio.run(cell()) if in_loop else consume()
    assert sorted(seen, key=int) == [str(n) for n in range(200)]
    assert order == "completion" or seen == sorted(seen, key=int)
    assert model.closings == 1
    assert threading.active_count() == threads_before


def test_a_sync_stream_that_is_closed_early_cancels_what_is_in_flight(threads_before: int) -> None:
    model = Model(lambda prompt, attempt: asyncio.sleep(0 if prompt == "0" else 3_600, prompt))
    results = process_stream_sync([str(n) for n in range(9)], model, max_workers=3)
    assert next(results).output == "0"
    results.close()
    assert model.in_flight == 0
    assert model.closings == 1
    assert threading.active_count() == threads_before


def test_a_sync_stream_left_by_an_error_in_its_body_is_closed_too(threads_before: int) -> None:
    model = Model(lambda prompt, attempt: asyncio.sleep(0 if prompt == "0" else 3_600, prompt))
    with pytest.raises(ZeroDivisionError):
        for _ in process_stream_sync([str(n) for n in range(9)], model, max_workers=3):
            raise ZeroDivisionError
    assert model.in_flight == 0
    assert threading.active_count() == threads_before


def test_errors_of_a_sync_stream_come_out_after_what_finished(threads_before: int) -> None:
    def prompts() -> Iterator[str]:
        yield "a"
        raise OSError("disk")

    seen = []
    with pytest.raises(SourceError) as caught:
        for result in process_stream_sync(prompts(), Model()):
            seen.append(result.output)
    assert seen == ["a"]
    assert isinstance(caught.value.__cause__, OSError)
    with pytest.raises(InputError):
        next(process_stream_sync("one prompt", Model()))
    assert threading.active_count() == threads_before


def test_a_sync_stream_that_is_never_read_starts_nothing(threads_before: int) -> None:
    model = Model()
    results = process_stream_sync(["a"], model)
    del results
    assert model.calls == 0
    assert threading.active_count() == threads_before


def test_sync_calls_work_on_other_threads() -> None:
    batches: list[Any] = []

    def work() -> None:
        batches.append(process_prompts_sync(["a", "b"], Model()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [batch.succeeded for batch in batches] == [2] * 4


def test_one_strategy_for_several_sync_calls_on_several_threads() -> None:
    model = Model()
    batches: list[Any] = []

    def work() -> None:
        batches.append(process_prompts_sync([str(n) for n in range(50)], model, max_workers=5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [batch.succeeded for batch in batches] == [50] * 4
    assert model.calls == 200
