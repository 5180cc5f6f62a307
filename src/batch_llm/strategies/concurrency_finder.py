"""How many calls may be in flight, found by trying."""

from __future__ import annotations

import math
from enum import Enum
from typing import Final

START: Final = 20
LEAST: Final = 4
MOST: Final = 1_000

_CLIMB: Final = 1.41
_UP: Final = 1.25
_DOWN: Final = 0.8
_FALL: Final = 0.7
# More calls at once are worth it if a tenth more of them give a fiftieth more answers.
_WORTH: Final = 0.2
_LEAST_SECONDS: Final = 2.5
_CLIMB_SECONDS: Final = 5.0
_LEAST_CALLS: Final = 40
_IN_USE: Final = 0.8
_PATIENCE: Final = 4


class _Phase(Enum):
    CLIMB = "climb"
    HOLD = "hold"
    UP = "up"
    DOWN = "down"


class ConcurrencyFinder:
    """A limit on calls in flight, led by refusals and by latency that grows without throughput.

    It climbs by steps while each brings more throughput, holds where one does not, and tries a
    step up and one down every so often. By Little's law throughput is the number in flight over
    the mean latency: so a step of the factor f is worth it while the latency grows by clearly less
    than f. Beyond the knee it grows by f, since calls only queue. TCP Vegas (Brakmo and Peterson,
    1994) and Netflix's concurrency-limits (gradient2) compare latencies in this way too; there the
    yardstick is the latency of an idle server, here the last step's, so that a server which slows
    down as it fills is filled all the same.

    Latencies scatter: only means over twice as many calls as are in flight are compared, of calls
    that started after the last step. A step that comes out wrong is undone by a later one.

    A refusal lowers the limit by three tenths, once for a burst (Chiu and Jain, 1989), but not
    below what the rate of accepted calls takes. It never falls below `LEAST`, so it never stalls.

    Attributes:
        limit: calls that may be in flight now.
        in_flight: calls that are.
    """

    __slots__ = (
        "_before",
        "_calls",
        "_held",
        "_latency",
        "_patience",
        "_phase",
        "_seconds",
        "_since",
        "_used",
        "in_flight",
        "limit",
    )

    def __init__(self, now: float) -> None:
        self.limit: float = START
        self.in_flight = 0
        self._phase = _Phase.CLIMB
        # The limit before the last step, and the mean latency there.
        self._before: float = START
        self._latency: float | None = None
        self._held = 0
        self._patience = _PATIENCE
        self._begin_window(now)

    @property
    def has_room(self) -> bool:
        """Whether one more call may start."""
        return self.in_flight < int(self.limit)

    def started(self) -> None:
        """Learn of a start."""
        self.in_flight += 1

    def ended(self, seconds: float, now: float) -> None:
        """Learn that a call has ended after `seconds`."""
        was_in_use = self.in_flight >= int(self.limit) - 1
        self.in_flight -= 1
        if now - seconds < self._since:
            return
        self._calls += 1
        self._seconds += seconds
        self._used += was_in_use
        if self._calls >= max(_LEAST_CALLS, 2 * self.limit) and now - self._since >= self._span:
            self._judge(max(1e-6, self._seconds / self._calls), now)

    def refused(self, needed: float, now: float) -> None:
        """Learn of a burst of refusals; `needed` is in flight at the rate that is accepted."""
        self.limit = max(LEAST, min(self.limit, max(self.limit * _FALL, needed)))
        self._hold(now, patience=2 * _PATIENCE)

    @property
    def _span(self) -> float:
        return _CLIMB_SECONDS if self._phase is _Phase.CLIMB else _LEAST_SECONDS

    def _judge(self, latency: float, now: float) -> None:
        """End a window: take the next step, up or down or none."""
        if self._used < _IN_USE * self._calls:
            # Something else limits: nothing can be learned of this limit.
            self._begin_window(now)
        elif self._phase is _Phase.HOLD or self._latency is None:
            self._remember(latency, now)
        elif self._phase is _Phase.DOWN:
            self._judge_down(latency, now)
        else:
            self._judge_up(latency, now)

    def _remember(self, latency: float, now: float) -> None:
        known = self._latency
        self._latency = latency if known is None else (known + latency) / 2
        self._held += 1
        if self._phase is _Phase.CLIMB:
            self._step(_CLIMB, _Phase.CLIMB, now)
        elif self._held >= self._patience:
            self._step(_UP, _Phase.UP, now)
        else:
            self._begin_window(now)

    def _judge_up(self, latency: float, now: float) -> None:
        if self._is_worth(latency):
            self._latency = latency
            self._step(_CLIMB, _Phase.CLIMB, now)
        elif self._phase is _Phase.CLIMB:
            # The knee is in between.
            self.limit = math.sqrt(self._before * self.limit)
            self._hold(now)
        else:
            self.limit = self._before
            self._step(_DOWN, _Phase.DOWN, now)

    def _judge_down(self, latency: float, now: float) -> None:
        if self._is_worth(latency):
            # What the step took away was of use.
            self.limit = self._before
            self._hold(now)
        else:
            self._latency = latency
            self._step(_DOWN, _Phase.DOWN, now)

    def _is_worth(self, latency: float) -> bool:
        """Return whether throughput goes with the limit, between the last step and now."""
        step = math.log(self.limit / self._before) if self.limit != self._before else 0.0
        if not step or self._latency is None:
            return False
        return 1 - math.log(latency / self._latency) / step >= _WORTH

    def _step(self, factor: float, phase: _Phase, now: float) -> None:
        self._before = self.limit
        self.limit = min(MOST, max(LEAST, self.limit * factor))
        if self.limit == self._before:
            self._hold(now)
            return
        self._phase = phase
        self._begin_window(now)

    def _hold(self, now: float, patience: int = _PATIENCE) -> None:
        self._phase = _Phase.HOLD
        self._patience = patience
        self._latency = None
        self._held = 0
        self._begin_window(now)

    def _begin_window(self, now: float) -> None:
        self._since = now
        self._calls = 0
        self._seconds = 0.0
        self._used = 0
