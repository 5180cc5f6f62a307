"""What observers hear, and when."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import (
    BaseObserver,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorConfig,
    ProcessorObserver,
    RetryConfig,
)

from ...standins import NO_WAIT, Ear, Model, items, limited, now

if TYPE_CHECKING:
    from collections.abc import Mapping

E = ProcessingEvent


def test_the_events_are_those_of_the_contract() -> None:
    assert {event.name for event in E} == {
        "ITEM_STARTED",
        "ITEM_COMPLETED",
        "ITEM_FAILED",
        "RATE_LIMIT_HIT",
        "COOLDOWN_STARTED",
        "COOLDOWN_ENDED",
        "WORKER_STARTED",
        "WORKER_STOPPED",
        "BATCH_STARTED",
        "BATCH_COMPLETED",
    }


async def test_a_run_is_told_from_its_start_to_its_end() -> None:
    ear = Ear()
    model = Model(seconds=2.0, usage={"input_tokens": 3, "output_tokens": 4})
    async with ParallelBatchProcessor(max_workers=1, observers=[ear]) as processor:
        await processor.process_all(items(2, model))
    assert [event for event, _, _ in ear.events] == [
        E.BATCH_STARTED,
        E.WORKER_STARTED,
        E.ITEM_STARTED,
        E.ITEM_COMPLETED,
        E.ITEM_STARTED,
        E.ITEM_COMPLETED,
        E.WORKER_STOPPED,
        E.BATCH_COMPLETED,
    ]
    (started,) = ear.heard(E.BATCH_STARTED)
    assert started["total"] == 2
    (completed,) = ear.heard(E.BATCH_COMPLETED)
    assert completed == {"total": 2, "succeeded": 2, "failed": 0, "duration": 4.0}
    worker_id = ear.heard(E.WORKER_STARTED)[0]["worker_id"]
    assert ear.heard(E.ITEM_STARTED)[0] == {"item_id": "0", "worker_id": worker_id}
    assert ear.heard(E.ITEM_COMPLETED)[0] == {
        "item_id": "0",
        "worker_id": worker_id,
        "duration": 2.0,
        "tokens": 7,
    }
    assert ear.heard(E.WORKER_STOPPED) == [{"worker_id": worker_id}]


@pytest.mark.parametrize("most", [1, 3])
async def test_an_item_that_ran_out_of_attempts_is_told_of(most: int) -> None:
    ear = Ear()
    config = ProcessorConfig(retry=RetryConfig(max_attempts=most, initial_wait=0.0))
    async with ParallelBatchProcessor[Any, Any, None](config=config, observers=[ear]) as processor:
        await processor.process_all(items(1, Model(ConnectionError())))
    (failed,) = ear.heard(E.ITEM_FAILED)
    assert failed["item_id"] == "0"
    assert failed["error_type"] == "ConnectionError"
    assert {"duration", "tokens", "worker_id"} <= set(failed)
    assert ear.heard(E.ITEM_COMPLETED) == []


async def test_every_item_started_is_told_to_have_ended() -> None:
    ear = Ear()
    model = Model(lambda prompt, attempt: [prompt, TypeError(), ConnectionError()][int(prompt) % 3])
    config = ProcessorConfig(max_workers=4, retry=NO_WAIT)
    async with ParallelBatchProcessor[Any, Any, None](config=config, observers=[ear]) as processor:
        await processor.process_all(items(30, model))
    started = [data["item_id"] for data in ear.heard(E.ITEM_STARTED)]
    ended = [
        data["item_id"] for kind in (E.ITEM_COMPLETED, E.ITEM_FAILED) for data in ear.heard(kind)
    ]
    assert sorted(started) == sorted(ended) == sorted(str(number) for number in range(30))
    assert len(ear.heard(E.WORKER_STARTED)) == len(ear.heard(E.WORKER_STOPPED)) == 4


async def test_every_rate_limit_is_told_and_each_cooldown_once_with_its_length() -> None:
    ear = Ear()
    model = Model([limited(), "ok"])
    async with ParallelBatchProcessor(
        max_workers=1, rate_limit_cooldown=30.0, observers=[ear]
    ) as processor:
        await processor.process_all(items(1, model))
    (hit,) = ear.heard(E.RATE_LIMIT_HIT)
    assert (hit["item_id"], hit["consecutive"]) == ("0", 1)
    assert "worker_id" in hit
    (started,) = ear.heard(E.COOLDOWN_STARTED)
    assert (started["duration"], started["consecutive"]) == (30.0, 1)
    (ended,) = ear.heard(E.COOLDOWN_ENDED)
    assert ended["duration"] == 30.0
    assert ear.times(E.COOLDOWN_STARTED) == [0.0]
    assert ear.times(E.COOLDOWN_ENDED) == [30.0]


async def test_several_observers_hear_the_same_in_their_order() -> None:
    heard: list[tuple[str, ProcessingEvent]] = []

    class Named(ProcessorObserver):
        def __init__(self, name: str) -> None:
            self.name = name

        async def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> None:
            await asyncio.sleep(0.5)
            heard.append((self.name, event))

    async with ParallelBatchProcessor(
        max_workers=1, observers=[Named("first"), Named("second")]
    ) as processor:
        await processor.process_all(items(2, Model()))
    assert [name for name, _ in heard] == ["first", "second"] * 8
    assert [event for name, event in heard if name == "first"] == [
        event for name, event in heard if name == "second"
    ]


@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("event", list(E))
async def test_an_observer_that_fails_touches_nothing(
    event: ProcessingEvent, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    class Sync(ProcessorObserver):
        def on_event(self, heard: ProcessingEvent, data: Mapping[str, Any]) -> None:
            if heard is event:
                raise ZeroDivisionError

    class Async(ProcessorObserver):
        async def on_event(self, heard: ProcessingEvent, data: Mapping[str, Any]) -> None:
            await asyncio.sleep(0)
            if heard is event:
                raise ZeroDivisionError

    ear = Ear()
    model = Model([limited(), TypeError(), *(["ok"] * 9)], seconds=1.0)
    async with ParallelBatchProcessor(
        max_workers=2, rate_limit_cooldown=5.0, observers=[Async() if is_async else Sync(), ear]
    ) as processor:
        batch = await processor.process_all(items(6, model))
    assert (batch.succeeded, batch.failed) == (5, 1)
    assert ear.heard(event), "those after it hear all the same"
    assert any(event.value in record.message for record in caplog.records)


async def test_an_observer_may_return_anything() -> None:
    class Chatty(ProcessorObserver):
        def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> Any:
            return "thank you"

    async with ParallelBatchProcessor(observers=[Chatty(), BaseObserver()]) as processor:
        assert (await processor.process_all(items(3, Model()))).succeeded == 3


async def test_the_base_observer_can_be_awaited_and_called() -> None:
    observer = BaseObserver()
    assert await observer.on_event(E.ITEM_STARTED, {}) is None
    observer.on_event(E.ITEM_STARTED, {})


async def test_a_base_observer_may_be_overridden_either_way_and_call_super() -> None:
    heard: list[str] = []

    class Async(BaseObserver):
        async def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> None:
            await super().on_event(event, data)
            heard.append("async")

    class Sync(BaseObserver):
        def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> Any:
            heard.append("sync")
            return super().on_event(event, data)

    async with ParallelBatchProcessor(max_workers=1, observers=[Async(), Sync()]) as processor:
        await processor.process_all(items(1, Model()))
    assert heard.count("async") == heard.count("sync") == 6


async def test_each_run_is_told_of_anew() -> None:
    ear = Ear()
    async with ParallelBatchProcessor(observers=[ear]) as processor:
        await processor.process_all(items(1, Model()))
        await processor.process_all([])
        async for _ in processor.stream(items(2, Model())):
            pass
    assert [data["total"] for data in ear.heard(E.BATCH_STARTED)] == [1, 0, 2]
    assert [data["total"] for data in ear.heard(E.BATCH_COMPLETED)] == [1, 0, 2]


async def test_a_slow_observer_slows_its_worker_and_no_timer() -> None:
    class Slow(ProcessorObserver):
        async def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> None:
            if event in (E.ITEM_STARTED, E.ITEM_COMPLETED):
                await asyncio.sleep(500)

    async with ParallelBatchProcessor(
        max_workers=1, timeout_per_item=10.0, observers=[Slow()]
    ) as processor:
        batch = await processor.process_all(items(2, Model(seconds=5.0)))
    assert batch.succeeded == 2
    assert now() == 2 * 1_005


async def test_the_data_of_an_event_is_the_observers_own() -> None:
    class Meddles(ProcessorObserver):
        def on_event(self, event: ProcessingEvent, data: Any) -> None:
            data.clear()

    async with ParallelBatchProcessor(max_workers=1, observers=[Meddles()]) as processor:
        batch = await processor.process_all(items(2, Model()))
        assert (await processor.get_stats())["succeeded"] == 2
    assert [result.item_id for result in batch] == ["0", "1"]
