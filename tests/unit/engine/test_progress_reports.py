"""When the progress callback is called."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from batch_llm.engine.progress_reports import ProgressReports

from ...virtual import run


@given(count=st.integers(0, 60), interval=st.integers(1, 25))
def test_every_interval_and_the_last(count: int, interval: int) -> None:
    seen: list[int] = []

    async def main() -> None:
        reports = ProgressReports(lambda done, total, last: seen.append(done), interval, 5.0)
        for number in range(1, count + 1):
            reports.item_done(number, count, str(number))
        await reports.finish()

    run(main)
    expected = {*range(interval, count + 1, interval), *([count] if count else [])}
    assert seen == sorted(expected)


async def test_finish_waits_for_reports_under_way() -> None:
    done: list[int] = []

    async def report(completed: int, total: int, last: str) -> None:
        await asyncio.sleep(2)
        done.append(completed)

    reports = ProgressReports(report, 1, 5.0)
    for number in (1, 2, 3):
        reports.item_done(number, 3, "x")
    await reports.finish()
    assert done == [1, 2, 3]


async def test_a_timeout_of_the_callbacks_own_is_its_fault_and_ends_nothing_else() -> None:
    seen: list[int] = []

    async def report(completed: int, total: int, last: str) -> None:
        seen.append(completed)
        raise TimeoutError

    reports = ProgressReports(report, 1, 5.0)
    for number in (1, 2, 3):
        reports.item_done(number, 3, "x")
    await reports.finish()
    assert seen == [1, 2, 3]
