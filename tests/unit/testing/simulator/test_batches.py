"""The way of a batch through its states, whoever the provider is."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.testing.simulator import (
    BatchTimes,
    Fault,
    FaultKind,
    Latency,
    ModelCall,
    SimulatorSettings,
)
from batch_llm.testing.simulator.batches import BatchRunner, DoneLine, RemoteBatch
from batch_llm.testing.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from batch_llm.testing.simulator.batches import BatchState

TIMES = BatchTimes(
    validating_seconds=100,
    running=Latency(seconds=1_000),
    finalizing_seconds=100,
    cancelling_seconds=100,
    slices=5,
)
WINDOW = 24 * 3_600


class Room:
    """A world with a clock that stands almost still, and one batch of ten lines in it."""

    def __init__(
        self,
        *faults: Fault,
        lines: int = 10,
        times: BatchTimes = TIMES,
        name: str = "batch_1",
        subject: bytes = b"1",
    ) -> None:
        self.world = World(SimulatorSettings(speed=1e-6, batch_times=times))
        now = self.world.clock.now()
        self.batch = RemoteBatch(name, "openai", "key", "m", now, now + WINDOW, subject)
        self.batch.faults.extend(faults)
        self.batch.custom_ids.extend(f"r{number}" for number in range(lines))
        self.run: list[str] = []
        self.finished: list[tuple[BatchState, BatchState]] = []

    async def execute(self, name: str) -> DoneLine:
        self.run.append(name)
        call = ModelCall("openai", "chat.completions", "m", "key", (), lane="batch")
        record = self.world.books.open(call)
        record.executed = True
        return DoneLine(name, "succeeded", name.encode(), record)

    def finish(self, batch: RemoteBatch, state: BatchState) -> None:
        self.finished.append((batch.state, state))

    def runner(
        self,
        execute: Callable[[str], Awaitable[DoneLine]] | None = None,
        prepare: Callable[[], Awaitable[None]] | None = None,
        **settings: Any,
    ) -> BatchRunner[str]:
        return BatchRunner(
            self.world,
            self.batch,
            self.batch.custom_ids,
            execute or self.execute,
            self.finish,
            prepare,
            **settings,
        )

    def fates(self) -> Counter[str]:
        """Return how many lines stand how in the books."""
        return Counter(record.fate for record in self.world.books.records)

    async def run_some(self, count: int) -> None:
        """Move the clock on until so many lines ran."""
        while len(self.run) < count:
            self.world.clock.advance(50)
            await turns()

    async def pass_until(self, state: str, seconds: float = 50) -> None:
        """Move the clock on until the batch is in a state."""
        for _ in range(5_000):
            if self.batch.state == state:
                return
            self.world.clock.advance(seconds)
            await turns()
        raise AssertionError(f"the batch is {self.batch.state} still")


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def moments(batch: RemoteBatch) -> dict[str, float]:
    """Return when each state was reached, in seconds from the creation."""
    return {state: moment - batch.created_at for state, moment in batch.reached.items()}


PLAN = {"validating": 0, "in_progress": 100, "finalizing": 1_100, "completed": 1_200}


async def test_each_state_is_reached_once_in_order_and_at_its_moment() -> None:
    room = Room()
    room.runner().start()
    await room.pass_until("completed", seconds=7)
    assert list(room.batch.reached) == list(PLAN)
    assert moments(room.batch) == pytest.approx(PLAN)
    assert room.run == room.batch.custom_ids
    assert room.finished == [("finalizing", "completed")]


async def test_a_jump_of_the_clock_lets_the_whole_batch_happen() -> None:
    room = Room()
    room.runner().start()
    await turns()
    room.world.clock.advance(2 * WINDOW)
    await turns(100)
    assert room.batch.state == "completed"
    assert moments(room.batch) == pytest.approx(PLAN)


async def test_time_that_lines_take_to_compute_is_none_of_the_batchs() -> None:
    room = Room()

    async def execute(name: str) -> DoneLine:
        room.world.clock.advance(WINDOW)
        return await room.execute(name)

    room.runner(execute=execute).start()
    await room.pass_until("completed")
    assert moments(room.batch) == pytest.approx(PLAN)


async def test_lines_run_in_parts() -> None:
    room = Room()
    room.runner().start()
    seen = set()
    while not room.batch.has_ended:
        seen.add(room.batch.count("succeeded"))
        room.world.clock.advance(50)
        await turns()
    assert seen == {0, 2, 4, 6, 8, 10}


async def test_what_is_prepared_is_what_runs() -> None:
    room = Room(lines=0)

    async def prepare() -> None:
        room.batch.custom_ids.append("late")

    room.runner(prepare=prepare).start()
    await room.pass_until("completed")
    assert room.run == ["late"]


async def test_a_failure_found_while_preparing_ends_the_batch() -> None:
    room = Room()

    async def prepare() -> None:
        room.batch.failure = ("wrong", "It is wrong.")

    room.runner(prepare=prepare).start()
    await turns()
    assert room.batch.state == "validating"
    await room.pass_until("failed")
    assert room.run == []


async def test_a_cancelled_batch_keeps_what_ran() -> None:
    room = Room()
    runner = room.runner()
    runner.start()
    while room.batch.count("succeeded") < 4:
        room.world.clock.advance(50)
        await turns()
    runner.cancel()
    runner.cancel()
    assert room.batch.state == "cancelling"
    await room.pass_until("cancelled")
    assert (room.batch.count("succeeded"), room.batch.count("canceled")) == (4, 6)
    assert [line.custom_id for line in room.batch.done] == room.batch.custom_ids
    assert room.finished == [("cancelling", "cancelled")]
    taken = room.batch.reached["cancelled"] - room.batch.reached["cancelling"]
    assert taken == pytest.approx(100)
    runner.cancel()
    assert list(room.batch.reached)[-1] == "cancelled"


async def test_a_batch_ends_when_its_window_does() -> None:
    slow = TIMES.model_copy(update={"running": Latency(seconds=2 * WINDOW)})
    room = Room(times=slow)
    room.runner().start()
    await room.pass_until("expired", seconds=600)
    assert (room.batch.count("succeeded"), room.batch.count("expired")) == (4, 6)
    assert moments(room.batch)["expired"] == WINDOW
    assert room.finished == [("in_progress", "expired")]


async def test_a_fault_lets_a_part_of_the_lines_expire() -> None:
    room = Room(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.3))
    room.runner().start()
    await room.pass_until("expired", seconds=600)
    assert (room.batch.count("succeeded"), room.batch.count("expired")) == (3, 7)
    assert room.batch.reached["expired"] == room.batch.expires_at


async def test_lost_lines_are_executed_billed_and_written_down_as_lost() -> None:
    room = Room(Fault(kind=FaultKind.BATCH_MISSING_LINES, share=0.4))
    room.runner().start()
    await room.pass_until("completed")
    assert len(room.batch.done) == 6
    assert room.batch.count("succeeded") == 10
    fates = [record.fate for record in room.world.books.records]
    assert (fates.count("lost"), fates.count("answered")) == (4, 6)
    kept = {line.custom_id for line in room.batch.done}
    answered = {name for name, fate in zip(room.run, fates, strict=True) if fate == "answered"}
    assert kept == answered


async def test_lines_are_answered_when_the_batch_has_ended_and_not_before() -> None:
    room = Room()
    room.runner().start()
    await room.pass_until("finalizing")
    assert room.fates() == {"open": 10}
    await room.pass_until("completed")
    assert room.fates() == {"answered": 10}


@pytest.mark.parametrize(
    ("with_results", "fates"),
    [
        (frozenset({"completed", "expired"}), {"answered": 3}),
        (frozenset({"completed"}), {"lost": 3}),
    ],
)
async def test_lines_of_an_expired_batch_are_lost_where_it_gives_no_results(
    with_results: frozenset[BatchState], fates: dict[str, int]
) -> None:
    room = Room(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.3))
    room.runner(with_results=with_results).start()
    await room.pass_until("expired", seconds=600)
    assert room.fates() == fates


async def test_an_expired_and_a_cancelled_batch_usually_give_results() -> None:
    expired = Room(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.3))
    expired.runner().start()
    await expired.pass_until("expired", seconds=600)
    assert expired.fates() == {"answered": 3}
    cancelled = Room()
    runner = cancelled.runner()
    runner.start()
    await cancelled.run_some(4)
    runner.cancel()
    await cancelled.pass_until("cancelled")
    assert cancelled.fates() == {"answered": 4}


async def test_lines_of_a_batch_that_is_deleted_while_it_runs_are_lost() -> None:
    room = Room()
    room.runner().start()
    await room.run_some(4)
    room.batch.deleted = True
    await room.pass_until("completed")
    assert room.fates() == {"lost": 10}


async def test_lines_of_a_batch_that_ends_with_the_world_are_lost() -> None:
    room = Room()
    runner = room.runner()
    runner.start()
    await room.run_some(4)
    await runner.aclose()
    assert room.fates() == {"lost": 4}


async def test_an_error_in_a_200_tells_nobody_what_was_billed() -> None:
    room = Room(lines=2)

    async def execute(name: str) -> DoneLine:
        done = await room.execute(name)
        if name == "r1" and done.record is not None:
            done.record.fault = FaultKind.ERROR_IN_200
        return done

    room.runner(execute=execute).start()
    await room.pass_until("completed")
    assert [record.fate for record in room.world.books.records] == ["answered", "lost"]


async def test_chance_depends_on_what_was_sent_and_not_on_the_id() -> None:
    times = TIMES.model_copy(update={"running": Latency(kind="lognormal", seconds=1_000)})

    async def course(name: str, subject: bytes) -> tuple[dict[str, float], list[str]]:
        faults = [
            Fault(kind=FaultKind.BATCH_MISSING_LINES),
            Fault(kind=FaultKind.BATCH_SHUFFLED),
        ]
        room = Room(*faults, times=times, name=name, subject=subject)
        room.runner().start()
        await room.pass_until("completed")
        passed = {state: round(moment, 3) for state, moment in moments(room.batch).items()}
        return passed, [line.custom_id for line in room.batch.done]

    assert await course("batch_1", b"1") == await course("batch_2", b"1")
    (times_1, lines_1), (times_2, lines_2) = [
        await course("batch_1", subject) for subject in (b"1", b"2")
    ]
    assert times_1 != times_2
    assert lines_1 != lines_2


async def test_a_defect_in_a_line_does_not_leave_a_batch_without_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room = Room()

    async def execute(name: str) -> DoneLine:
        if name == "r3":
            raise RuntimeError("broken")
        return await room.execute(name)

    room.runner(execute=execute).start()
    await room.pass_until("failed")
    assert room.fates() == {"lost": 3}
    assert room.batch.failure is not None
    assert "broken" in room.batch.failure[1]
    assert "batch_1" in caplog.text


async def test_others_get_their_turn_while_lines_run() -> None:
    room = Room(lines=1_000)
    room.runner().start()
    turns_of_others = 0
    while room.batch.count("succeeded") < 1_000:
        before = room.batch.count("succeeded")
        if before == 0:
            room.world.clock.advance(10_000)
        elif before % 200 == 0:
            room.world.clock.advance(200)
        await asyncio.sleep(0)
        assert room.batch.count("succeeded") - before <= 20
        turns_of_others += 1
    assert turns_of_others >= 50


async def test_closing_stops_at_once() -> None:
    room = Room()
    runner = room.runner()
    runner.start()
    await turns()
    await runner.aclose()
    room.world.clock.advance(WINDOW)
    await turns()
    assert room.batch.state == "validating"
