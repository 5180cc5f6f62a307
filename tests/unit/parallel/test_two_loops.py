"""Processors on several event loops that share a strategy: it is open as long as any uses it."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm import LLMCallStrategy, ParallelBatchProcessor, ProcessorConfig

from ...standins import Model, items

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def loops() -> Iterator[tuple[asyncio.Runner, asyncio.Runner]]:
    """Two loops that live side by side; they turn when a test says so."""
    with ExitStack() as stack:
        yield stack.enter_context(asyncio.Runner()), stack.enter_context(asyncio.Runner())


def new_processor() -> ParallelBatchProcessor[Any, Any, None]:
    return ParallelBatchProcessor(config=ProcessorConfig(max_workers=2))


async def turn() -> None:
    """Let all go on until they wait for something."""
    for _ in range(20):
        await asyncio.sleep(0)


async def work(processor: ParallelBatchProcessor[Any, Any, None], model: Any) -> int:
    return (await processor.process_all(items(3, model))).succeeded


class Pools(Model):
    """Holds something on each loop."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[asyncio.AbstractEventLoop] = []
        self.departures = 0

    async def prepare(self) -> None:
        await super().prepare()
        self.open.append(asyncio.get_running_loop())

    async def leave_loop(self) -> None:
        self.departures += 1
        self.open.remove(asyncio.get_running_loop())

    async def aclose(self) -> None:
        await super().aclose()
        self.open.remove(asyncio.get_running_loop())


def test_the_first_that_closes_leaves_it_open_for_the_other_loop(
    loops: tuple[asyncio.Runner, asyncio.Runner],
) -> None:
    here, there = loops
    model, one, other = Model(), new_processor(), new_processor()
    assert here.run(work(one, model)) == 3
    assert there.run(work(other, model)) == 3
    here.run(one.cleanup())
    assert model.closings == 0
    assert there.run(work(other, model)) == 3
    there.run(other.cleanup())
    assert (model.preparations, model.closings) == (2, 1)


def test_what_belongs_to_a_loop_is_released_with_its_last_processor(
    loops: tuple[asyncio.Runner, asyncio.Runner],
) -> None:
    here, there = loops
    model, other = Pools(), new_processor()
    pair = new_processor(), new_processor()
    there.run(work(other, model))
    for processor in pair:
        here.run(work(processor, model))
    here.run(pair[0].cleanup())
    assert model.departures == 0
    here.run(pair[1].cleanup())
    assert model.open == [there.get_loop()]
    third = new_processor()
    assert here.run(work(third, model)) == 3
    assert model.preparations == 3, "once more for the loop that it had left"
    there.run(other.cleanup())
    assert model.open == [here.get_loop()]
    here.run(third.cleanup())
    assert (model.open, model.departures, model.closings) == ([], 2, 1)


def test_without_such_a_release_it_stays_prepared_on_a_loop_that_it_left(
    loops: tuple[asyncio.Runner, asyncio.Runner],
) -> None:
    here, there = loops
    model, other = Model(), new_processor()
    there.run(work(other, model))
    for _ in range(3):
        processor = new_processor()
        here.run(work(processor, model))
        here.run(processor.cleanup())
    there.run(other.cleanup())
    assert (model.preparations, model.closings) == (2, 1)
    last = new_processor()
    here.run(work(last, model))
    here.run(last.cleanup())
    assert (model.preparations, model.closings) == (3, 2), "closed is closed on all loops"


def test_who_comes_while_the_loop_is_left_waits_and_no_other_loop_closes_it(
    loops: tuple[asyncio.Runner, asyncio.Runner],
) -> None:
    log: list[str] = []
    may_end = asyncio.Event()

    class Slow(Model):
        async def prepare(self) -> None:
            log.append("prepare")

        async def leave_loop(self) -> None:
            if asyncio.get_running_loop() is there.get_loop():
                return
            log.append("leaving")
            await may_end.wait()
            log.append("left")

        async def aclose(self) -> None:
            log.append("close")

    here, there = loops
    model, one, other, third = Slow(), new_processor(), new_processor(), new_processor()
    here.run(work(one, model))
    there.run(work(other, model))
    log.clear()

    async def leave() -> asyncio.Task[None]:
        leaving = asyncio.create_task(one.cleanup())
        await turn()
        return leaving

    async def come() -> None:
        coming = asyncio.create_task(work(third, model))
        await turn()
        assert log == ["leaving"]
        may_end.set()
        await leaving
        assert await coming == 3

    leaving = here.run(leave())
    there.run(other.cleanup())
    here.run(come())
    assert log == ["leaving", "left", "prepare"]
    here.run(third.cleanup())
    assert log[3:] == ["close"]


def test_a_release_that_fails_is_logged(
    loops: tuple[asyncio.Runner, asyncio.Runner], caplog: pytest.LogCaptureFixture
) -> None:
    class Faulty(Model):
        async def leave_loop(self) -> None:
            raise OSError("still in use")

    here, there = loops
    model, one, other = Faulty(), new_processor(), new_processor()
    here.run(work(one, model))
    there.run(work(other, model))
    here.run(one.cleanup())
    assert any("leave" in record.message for record in caplog.records)
    there.run(other.cleanup())
    assert model.closings == 1


def test_who_comes_on_another_loop_while_it_closes_waits_for_that(
    loops: tuple[asyncio.Runner, asyncio.Runner],
) -> None:
    log: list[str] = []
    may_end = asyncio.Event()

    class Connection(Model):
        async def prepare(self) -> None:
            log.append("prepare")

        async def aclose(self) -> None:
            log.append("closing")
            await may_end.wait()
            log.append("closed")

    async def begin(step: Any) -> asyncio.Task[Any]:
        task = asyncio.ensure_future(step)
        await turn()
        return task

    async def end(task: asyncio.Task[Any]) -> Any:
        may_end.set()
        return await task

    here, there = loops
    model, one, other = Connection(), new_processor(), new_processor()
    here.run(work(one, model))
    closing = here.run(begin(one.cleanup()))
    working = there.run(begin(work(other, model)))
    assert log == ["prepare", "closing"]
    here.run(end(closing))
    assert there.run(end(working)) == 3
    there.run(other.cleanup())
    assert log == ["prepare", "closing", "closed", "prepare", "closing", "closed"]


def test_a_loop_that_is_gone_keeps_nothing_open() -> None:
    model, forgotten, other = Model(), new_processor(), new_processor()
    assert asyncio.run(work(forgotten, model)) == 3
    with asyncio.Runner() as runner:
        runner.run(work(other, model))
        runner.run(other.cleanup())
        assert model.closings == 1
        runner.run(forgotten.cleanup())
    assert model.closings == 1, "it was closed along"


def test_a_processor_of_a_loop_that_is_gone_closes_nothing_that_is_in_use() -> None:
    model, old, other = Pools(), new_processor(), new_processor()
    assert asyncio.run(work(old, model)) == 3
    model.open.clear()
    with asyncio.Runner() as runner:
        runner.run(work(other, model))
        runner.run(old.cleanup())
        assert (model.closings, model.departures) == (0, 0)
        runner.run(other.cleanup())
    assert model.closings == 1


def test_a_strategy_that_holds_nothing_is_prepared_once_for_each_loop(
    loops: tuple[asyncio.Runner, asyncio.Runner],
) -> None:
    class Light(LLMCallStrategy[str]):
        preparations = 0

        async def prepare(self) -> None:
            self.preparations += 1

        async def execute(
            self, prompt: str, attempt: int, timeout: float, state: Any = None
        ) -> Any:
            return prompt, {}

    model = Light()
    for runner in loops * 3:
        processor = new_processor()
        runner.run(work(processor, model))
        runner.run(processor.cleanup())
    assert model.preparations == 2


def test_processors_that_come_and_go_in_threads_find_it_open() -> None:
    class Counted(Model):
        """Open after each `prepare()` until it is closed."""

        is_open = False
        faults = 0

        async def prepare(self) -> None:
            self.is_open = True

        async def execute(self, *call: Any, **more: Any) -> Any:
            self.faults += not self.is_open
            await asyncio.sleep(0)
            self.faults += not self.is_open
            return "out", {}

        async def aclose(self) -> None:
            self.is_open = False
            await asyncio.sleep(0)
            self.faults += self.is_open

    model = Counted()
    ended: list[int] = []
    both = threading.Barrier(2)

    async def come_and_go() -> None:
        for _ in range(50):
            async with new_processor() as processor:
                ended.append(await work(processor, model))

    def run() -> None:
        both.wait()
        asyncio.run(come_and_go())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == [3] * 100
    assert (model.faults, model.is_open) == (0, False)
