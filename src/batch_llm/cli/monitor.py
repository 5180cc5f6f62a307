"""How a run is going, at a glance."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..observers.base import ProcessingEvent, ProcessorObserver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..rows.tally import Tally

RATE_WINDOW_SECONDS: Final = 30.0
"""The rate shown is that of the last so many seconds: an old pause must not spoil the ETA."""


@dataclass(frozen=True, slots=True)
class Glance:
    """A run at one moment.

    Attributes:
        elapsed_seconds: since its start.
        replayed: rows that came from a ledger.
        cost_usd: what calls of a known price have cost.
        rows_per_second: of late, those from a ledger left out: the rest will not come as fast.
        eta_seconds: until its end at that rate, a pause included; None where there is none yet.
        retries: calls beyond the first of a row.
        rate_limits: calls refused for coming too soon.
        pause_seconds: until calls go on after a rate limit; 0 where they do.
    """

    done: int
    total: int
    failed: int
    replayed: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    elapsed_seconds: float
    rows_per_second: float
    eta_seconds: float | None
    retries: int
    rate_limits: int
    pause_seconds: float


class Monitor(ProcessorObserver):
    """Sums up a run. Give it to the processor as an observer, so that it hears of pauses.

    Args:
        tally: the counts of the run's results.
        clock: seconds that only grow.
    """

    def __init__(self, tally: Tally, clock: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._clock = clock
        self._start = clock()
        self._samples: deque[tuple[float, int]] = deque([(self._start, 0)])
        self._resume_at = self._start
        self.retries = 0
        self.rate_limits = 0

    def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> None:
        """Note when a pause ends."""
        if event is ProcessingEvent.COOLDOWN_STARTED:
            self._resume_at = self._clock() + data["duration"]
        elif event is ProcessingEvent.RATE_LIMIT_HIT and data["duration"] is not None:
            self._resume_at = max(self._resume_at, self._clock() + data["duration"])
        elif event is ProcessingEvent.COOLDOWN_ENDED:
            self._resume_at = self._clock()

    def take_stats(self, stats: Mapping[str, Any]) -> None:
        """Take over what only the processor counts; `stats` is what its `get_stats` gives."""
        self.retries = stats["retries"]
        self.rate_limits = stats["rate_limit_count"]

    def glance(self) -> Glance:
        """Return how the run is going now."""
        now = self._clock()
        tally = self._tally
        speed = self._rows_per_second(now, tally.done - tally.replayed)
        left = tally.total - tally.done
        pause = max(0.0, self._resume_at - now)
        return Glance(
            done=tally.done,
            total=tally.total,
            failed=tally.failed,
            replayed=tally.replayed,
            input_tokens=tally.input_tokens,
            output_tokens=tally.output_tokens,
            cost_usd=tally.cost_usd,
            elapsed_seconds=now - self._start,
            rows_per_second=speed,
            eta_seconds=pause + left / speed if speed else None,
            retries=self.retries,
            rate_limits=self.rate_limits,
            pause_seconds=pause,
        )

    def _rows_per_second(self, now: float, done: int) -> float:
        samples = self._samples
        samples.append((now, done))
        # One sample older than the window stays, so that the window is covered in whole.
        while len(samples) > 2 and samples[1][0] <= now - RATE_WINDOW_SECONDS:
            samples.popleft()
        then, done_then = samples[0]
        return (done - done_then) / (now - then) if now > then else 0.0
