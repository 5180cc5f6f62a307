"""A run at a glance."""

from __future__ import annotations

import pytest

from batch_llm.cli.monitor import RATE_WINDOW_SECONDS, Monitor
from batch_llm.observers.base import ProcessingEvent
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.tally import Tally


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def finish(tally: Tally, rows: int) -> None:
    for _ in range(rows):
        tally.add(ResultRow(id="a", line=1, status="succeeded"))


def test_begins_with_nothing(clock: Clock) -> None:
    glance = Monitor(Tally(10), clock).glance()

    assert (glance.done, glance.total, glance.rows_per_second) == (0, 10, 0.0)
    assert glance.eta_seconds is None


def test_tells_when_the_rest_will_be_done(clock: Clock) -> None:
    tally = Tally(100)
    monitor = Monitor(tally, clock)
    clock.now += 5
    finish(tally, 20)

    glance = monitor.glance()

    assert (glance.elapsed_seconds, glance.rows_per_second, glance.eta_seconds) == (5, 4, 20)


def test_the_rate_is_that_of_late(clock: Clock) -> None:
    """An hour of silence must not make the rest look endless."""
    tally = Tally(1000)
    monitor = Monitor(tally, clock)
    for _ in range(3600):
        clock.now += 1
        monitor.glance()
    for _ in range(int(RATE_WINDOW_SECONDS)):
        clock.now += 1
        finish(tally, 10)
        speed = monitor.glance().rows_per_second

    assert speed == pytest.approx(10)


def test_rows_of_the_ledger_say_nothing_of_the_rate(clock: Clock) -> None:
    tally = Tally(1000)
    monitor = Monitor(tally, clock)
    clock.now += 5
    finish(tally, 500)
    for _ in range(480):
        tally.add_cost(ResultRow(id="a", line=1, status="succeeded", origin="ledger"))

    glance = monitor.glance()

    assert (glance.replayed, glance.rows_per_second, glance.eta_seconds) == (480, 4, 125)


def test_a_pause_is_counted_down_and_ends(clock: Clock) -> None:
    monitor = Monitor(Tally(10), clock)
    monitor.on_event(ProcessingEvent.COOLDOWN_STARTED, {"duration": 60.0})
    clock.now += 20
    assert monitor.glance().pause_seconds == 40

    monitor.on_event(ProcessingEvent.COOLDOWN_ENDED, {"duration": 20.0})
    assert monitor.glance().pause_seconds == 0


def test_takes_over_what_the_processor_counts(clock: Clock) -> None:
    monitor = Monitor(Tally(10), clock)
    monitor.take_stats({"retries": 3, "rate_limit_count": 2})

    glance = monitor.glance()

    assert (glance.retries, glance.rate_limits) == (3, 2)


def test_a_pause_is_part_of_the_time_that_is_left(clock: Clock) -> None:
    tally = Tally(100)
    monitor = Monitor(tally, clock)
    clock.now += 5
    finish(tally, 20)
    monitor.on_event(ProcessingEvent.COOLDOWN_STARTED, {"duration": 300.0})

    glance = monitor.glance()

    assert (glance.pause_seconds, glance.eta_seconds) == (300, 320)
