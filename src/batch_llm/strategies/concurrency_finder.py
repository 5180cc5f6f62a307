"""How many calls may be in flight, found by trying."""

from __future__ import annotations

import math
from enum import Enum
from typing import Final

START: Final = 20
LEAST: Final = 4
MOST: Final = 1_000

_CLIMB: Final = 1.41
_MOST_CLIMB: Final = 2.0
_UP: Final = 1.3
_DOWN: Final = 0.8
_FALL: Final = 0.7
# More calls at once are worth it if a tenth more of them give a fiftieth more answers.
_WORTH: Final = 0.2
_PROBABLY_WORTH: Final = 0.35
_SURELY_WORTH: Final = 0.6
_LEAST_SECONDS: Final = 2.5
_CLIMB_SECONDS: Final = 5.0
_LONGEST_OPENING_SECONDS: Final = 5.0
_FALL_SECONDS: Final = 1.0
_FULL: Final = 0.95
_IN_USE: Final = 0.8
_PATIENCE: Final = 4
_MOST_PATIENCE: Final = 16
# Calls to judge by, at the least and for each that may be in flight: at a first look, and for sure.
_AT_FIRST: Final = (24, 1)
_FOR_SURE: Final = (100, 4)


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

    Latencies scatter: means of many calls are compared, of those that started after the last step;
    of few where they are clear, else of four times as many. A step that comes out wrong is undone
    by a later one. Steps are so large that starts grow twofold in ten seconds at the most: some
    providers refuse more.

    A refusal lowers the limit by three tenths, once for a burst (Chiu and Jain, 1989), but not
    below what the rate of accepted calls takes. It never falls below `LEAST`, so it never stalls.

    Attributes:
        limit: calls that may be in flight now.
        in_flight: calls that are.
    """

    __slots__ = (
        "_before",
        "_calls",
        "_fell",
        "_full_seconds",
        "_held",
        "_latency",
        "_look_at",
        "_opened_per_second",
        "_patience",
        "_phase",
        "_seconds",
        "_since",
        "_target",
        "_told_at",
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
        # Where to hold if the step down is one too many.
        self._target: float = START
        self._fell = -1.0
        self._opened_per_second = 0.0
        self._seconds = 0.0
        self._look_at = 0
        self._held = 0
        self._patience = _PATIENCE
        self._calls = self._look_at = 0
        self._seconds = 0.0
        self._begin_window(now)

    def has_room(self, now: float) -> bool:
        """Return whether one more call may start.

        The places of a step up are opened one by one, so that it is no burst.
        """
        if now >= self._since:
            return self.in_flight < int(self.limit)
        return self.in_flight < int(self.limit - (self._since - now) * self._opened_per_second)

    def opens_at(self, now: float) -> float:
        """Return when the next place of a step opens; inf where a call must end first."""
        if now >= self._since or self.in_flight >= int(self.limit):
            return math.inf
        return max(now, self._since - (self.limit - self.in_flight - 1) / self._opened_per_second)

    def at_least(self, limit: float) -> None:
        """Raise the limit: something else limits, and this must not stand in its way."""
        self.limit = max(self.limit, min(MOST, limit))

    def started(self, now: float) -> None:
        """Learn of a start."""
        self._tell_time(now)
        self.in_flight += 1

    def ended(self, seconds: float, now: float) -> None:
        """Learn that a call has ended after `seconds`."""
        self._tell_time(now)
        self.in_flight -= 1
        if now - seconds < self._since:
            return
        self._calls += 1
        self._seconds += seconds
        if self._calls >= self._look_at and self._has_seen(_AT_FIRST, now):
            # Who looks after every call sees what he hopes for by chance.
            self._look_at = 2 * self._calls
            self._judge(max(1e-6, self._seconds / self._calls), now)

    def refused(self, needed: float, now: float) -> None:
        """Learn of a burst of refusals; `needed` is in flight at the rate that is accepted."""
        if now - self._fell < _FALL_SECONDS:
            return
        self._fell = now
        tried = self._phase is _Phase.UP
        self.limit = max(LEAST, min(self.limit, max(self.limit * _FALL, needed)))
        self._hold(now, min(_MOST_PATIENCE, 2 * self._patience) if tried else _PATIENCE)

    def _has_seen(self, calls: tuple[int, int], now: float) -> bool:
        span = _CLIMB_SECONDS if self._phase is _Phase.CLIMB else _LEAST_SECONDS
        least, each = calls
        return self._calls >= max(least, each * self.limit) and now - self._since >= span

    def _judge(self, latency: float, now: float) -> None:
        """End a window, or look on: take the next step, up or down or none."""
        if self._full_seconds < _IN_USE * (now - self._since):
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
            self._climb(now)
        elif self._held >= self._patience:
            self._step(_UP, _Phase.UP, now)
        else:
            self._begin_window(now)

    def _judge_up(self, latency: float, now: float) -> None:
        is_sure = self._has_seen(_FOR_SURE, now)
        if self._is_worth(latency, _WORTH if is_sure else _PROBABLY_WORTH):
            self._latency = latency
            self._patience = _PATIENCE
            self._climb(now)
        elif is_sure:
            # The knee lies in between, or below: see whether less would do.
            climbed = self._phase is _Phase.CLIMB
            self._target = math.sqrt(self._before * self.limit) if climbed else self._before
            self.limit = self._before
            self._step(_DOWN, _Phase.DOWN, now)

    def _judge_down(self, latency: float, now: float) -> None:
        is_sure = self._has_seen(_FOR_SURE, now)
        if self._is_worth(latency, _WORTH if is_sure else _SURELY_WORTH):
            # What the step took away was of use.
            self.limit = self._target
            self._hold(now, self._patience)
        elif is_sure:
            self._latency = latency
            self._target = self.limit
            self._step(_DOWN, _Phase.DOWN, now)

    def _is_worth(self, latency: float, share: float) -> bool:
        """Return whether throughput goes with the limit, between the last step and now."""
        step = math.log(self.limit / self._before) if self.limit != self._before else 0.0
        if not step or self._latency is None:
            return False
        return 1 - math.log(latency / self._latency) / step >= share

    def _climb(self, now: float) -> None:
        factor = _CLIMB ** ((now - self._since) / _CLIMB_SECONDS)
        self._step(min(_MOST_CLIMB, max(_UP, factor)), _Phase.CLIMB, now)

    def _step(self, factor: float, phase: _Phase, now: float) -> None:
        self._before = self.limit
        self.limit = min(MOST, max(LEAST, self.limit * factor))
        if self.limit == self._before:
            self._hold(now, self._patience)
            return
        self._phase = phase
        more = self.limit - self._before
        opening = min(_LONGEST_OPENING_SECONDS, self._latency or 0.0) if more > 0 else 0.0
        if opening:
            self._opened_per_second = more / opening
        self._begin_window(now + opening)

    def _hold(self, now: float, patience: int) -> None:
        self._phase = _Phase.HOLD
        self._patience = patience
        self._latency = None
        self._held = 0
        self._begin_window(now)

    def _begin_window(self, now: float) -> None:
        self._since = now
        self._calls = 0
        self._look_at = 0
        self._seconds = 0.0
        self._full_seconds = 0.0
        self._told_at = now

    def _tell_time(self, now: float) -> None:
        # All places are as good as taken while those that got free are filled again.
        if self._told_at < now:
            if self.in_flight >= int(_FULL * self.limit):
                self._full_seconds += now - self._told_at
            self._told_at = now
