"""One limit for remote batches and for calls: what one gives back, the other may take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from tests.batch_runs import job, planned

from batch_llm.batch.late.live_money import LiveBudget, LiveReservations
from batch_llm.batch.state.events import (
    Collected,
    Collecting,
    Created,
    Event,
    LiveCall,
    Refused,
    ResultKept,
    Settled,
)
from batch_llm.batch.state.journal import Journal, open_journal
from batch_llm.batch.state.state_file import fold
from batch_llm.exceptions import BudgetExceededError
from batch_llm.files import GroupWriter


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with open_journal(tmp_path / "state.jsonl", durability="process") as journal:
        journal.add_jobs([job(n) for n in range(3)])
        yield journal


def collected(number: int, job_id: str) -> list[Event]:
    kept = ResultKept(
        job_id=job_id, outcome="succeeded", chunk=number, result=msgspec.Raw(b'{"job_id":"x"}')
    )
    return [Created(number, f"r-{number}"), Collecting(number), kept, Collected(number)]


async def test_a_call_waits_for_what_a_remote_batch_gives_back(journal: Journal) -> None:
    journal.write(planned(0, "job-0", reserved_usd=0.9))
    money = LiveBudget(1.0, journal.state)
    taking = asyncio.create_task(money.budget.take(0.5))
    await asyncio.sleep(0)
    money.follow()
    assert not taking.done()
    journal.write(*collected(0, "job-0"), Settled(0.3, 0))
    money.follow()
    await taking
    assert money.budget.spent_usd == 0.3
    assert not money.budget.reserve(0.21)
    assert money.budget.reserve(0.19)


async def test_a_refused_batch_gives_all_back_and_one_without_a_bill_nothing(
    journal: Journal,
) -> None:
    journal.write(planned(0, "job-0", reserved_usd=0.4), planned(1, "job-1", reserved_usd=0.4))
    money = LiveBudget(1.0, journal.state)
    journal.write(Refused(0, "no"), *collected(1, "job-1"))
    money.follow()
    assert (money.budget.open_usd, money.budget.held_usd) == (0.0, 0.4)
    with pytest.raises(BudgetExceededError):
        await money.budget.take(0.7)
    await money.budget.take(0.6)


def test_calls_that_a_crash_has_cut_off_and_unpaid_batches_are_held(journal: Journal) -> None:
    journal.write(planned(0, "job-0", reserved_usd=0.25), LiveCall(0, 0.125))
    journal.write(*collected(0, "job-0"), Settled(0.0625))
    budget = LiveBudget(1.0, journal.state).budget
    assert (budget.spent_usd, budget.held_usd, budget.open_usd) == (0.0625, 0.375, 0.0)


def test_a_limit_that_was_lowered_leaves_no_room(journal: Journal) -> None:
    journal.write(planned(0, "job-0", reserved_usd=0.9), Settled(0.3))
    money = LiveBudget(1.0, journal.state)
    assert not money.budget.reserve(0.01)
    journal.write(*collected(0, "job-0"), Settled(0.6, 0))
    money.follow()
    assert not money.budget.reserve(0.11)


async def test_a_reservation_is_in_the_file_before_the_call(journal: Journal) -> None:
    writer: GroupWriter[Event] = GroupWriter(lambda events: journal.write(*events), lambda e: e)
    reservations = LiveReservations(writer, journal.state.last_call)
    first, second = await asyncio.gather(reservations.reserve(0.5), reservations.reserve(0.25))
    assert fold(journal.path).state.open_calls == {first: 0.5, second: 0.25}
    reservations.settle(first, 0.125)
    reservations.settle(second, None)  # its answer never came
    cut = asyncio.create_task(reservations.reserve(1.0))
    await asyncio.sleep(0)
    cut.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cut
    await writer.aclose()
    assert journal.state.open_calls == {second: 0.25}
    assert (journal.state.spent_usd, journal.state.reserved_usd) == (0.125, 0.25)
    assert LiveReservations(writer, journal.state.last_call)._next == 3
