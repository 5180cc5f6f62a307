"""One quota scope: what its calls wait for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from ...strategies.breaker import Breaker
from ...strategies.concurrency_finder import ConcurrencyFinder
from ...strategies.rate_finder import RateFinder
from .bell import Bell
from .pace import Pace
from .token_limits import TokenLimits

if TYPE_CHECKING:
    from ...base.usage import TokenBound
    from ...strategies.quota_reading import Allowance, QuotaReading

# Of a limit that headers tell, a little is left for clocks that differ.
_OF_A_TOLD_LIMIT: Final = 0.98
_MINUTE_SECONDS: Final = 60.0
# Refused starts that make a rate: whoever sets the number of workers asked for that load.
_SHARE_WHEN_ADAPTIVE: Final = 0.005
_SHARE_WHEN_FIXED: Final = 0.3


class Scope:
    """What is known of the quota that some calls draw on.

    Args:
        is_adaptive: whether to find how many calls may be in flight.
        now: the loop's time.

    Attributes:
        line: held by the first of those who wait: first come, first served.
        waiting: how many wait, the first included.
        bell: rung when the first should look again.
        tokens: limits that the provider told.
    """

    def __init__(self, *, is_adaptive: bool, now: float) -> None:
        self.line = asyncio.Lock()
        self.waiting = 0
        self.bell = Bell()
        self.tokens = TokenLimits(smoothing=1.0)
        self._paused_until = 0.0
        self._pace = Pace()
        self._told_rate: float | None = None
        self._finder = RateFinder(_SHARE_WHEN_ADAPTIVE if is_adaptive else _SHARE_WHEN_FIXED)
        self._concurrency = ConcurrencyFinder(now) if is_adaptive else None
        self._breaker: Breaker | None = None
        # A scope may be made at a refusal, of a call that began before there was one.
        self._last_started = now
        self._latency = 0.0

    def settle_here(self, now: float) -> None:
        """Go on on the running loop, of the same clock: nothing waits, and nothing is in flight."""
        self.line = asyncio.Lock()
        self.waiting = 0
        self.bell = Bell()
        self.tokens.abandon(now)
        if self._concurrency is not None:
            self._concurrency.in_flight = 0

    # -- whether a call may start

    def ready_at(self, bound: TokenBound | None, now: float) -> float:
        """Return when the next call may start: `now` at once, inf once something has ended."""
        if self._paused_until > now:
            return self._paused_until
        if self._concurrency is not None and not self._concurrency.has_room(now):
            return self._concurrency.opens_at(now)
        when = self._pace.ready_at(now)
        return max(when, self.tokens.ready_at(bound, now)) if self.tokens.is_limited else when

    def paused_until(self, now: float) -> float:
        """Return when the pause ends, `now` where there is none."""
        return max(self._paused_until, now)

    def start(self, bound: TokenBound | None, now: float) -> None:
        """Take all that a call needs that starts now."""
        if self._concurrency is not None:
            self._concurrency.started(now)
        if self.tokens.is_limited:
            self.tokens.reserve(bound, now)
        if self._breaker is not None:
            self._breaker.started(now)
        learned = self._finder.rate(now)
        told = self._told_rate
        if learned is not None and self._concurrency is not None:
            self._concurrency.at_least(self._needed(learned))
        rate = told if learned is None else learned if told is None else min(told, learned)
        has_waited = self._pace.start(rate, self.waiting, now)
        self._finder.started(now, has_waited=has_waited)

    def _needed(self, rate: float) -> float:
        """Return how many calls are in flight at a rate, with room for those that take longer."""
        return 1.25 * rate * self._latency + 2

    # -- what becomes of calls

    def end(self, seconds: float, now: float) -> None:
        """Learn that a call has ended after `seconds`."""
        self._last_started = now - seconds
        if self._concurrency is not None:
            self._concurrency.ended(seconds, now)
            self.bell.ring()

    def succeeded(self, now: float) -> None:
        """Learn that the call that ended just now was answered."""
        if self._breaker is not None:
            self._breaker.succeeded()
        seconds = now - self._last_started
        self._latency += 0.05 * (seconds - self._latency) if self._latency else seconds

    def refused(self, wait_seconds: float | None, now: float) -> None:
        """Learn that the call that ended just now was refused, and until when to wait."""
        if self._breaker is not None:
            self._breaker.succeeded()
        if self._finder.refused(self._last_started, now) and self._concurrency is not None:
            accepted = self._finder.rate(now) or self._finder.recent(now)
            self._concurrency.refused(self._needed(accepted), now)
        if wait_seconds is not None and now + wait_seconds > self._paused_until:
            self._paused_until = now + wait_seconds
            self._pace.resume(self._paused_until, wait_seconds, self._finder.recent(now))
            self.bell.ring()

    def broke(self, now: float) -> None:
        """Learn that a call found no server, or a broken one."""
        if self._breaker is None:
            self._breaker = Breaker()
        self._breaker.broke(now)

    def heard(self, reading: QuotaReading, now: float) -> None:
        """Learn of the limits in force."""
        if (requests := reading.requests) is not None and _is_of_a_minute(requests):
            self._told_rate = requests.limit * _OF_A_TOLD_LIMIT / _MINUTE_SECONDS
        self.tokens.limit(
            total=_told(reading.tokens),
            input_tokens=_told(reading.input_tokens),
            output_tokens=_told(reading.output_tokens),
        )
        for told in (reading.requests, reading.tokens, reading.input_tokens, reading.output_tokens):
            if told is not None and not told.remaining and _is_of_a_minute(told):
                self._paused_until = max(self._paused_until, now + told.reset_seconds)
        self.bell.ring()

    def resume(self) -> None:
        """End the pause."""
        self._paused_until = 0.0
        self.bell.ring()

    def headroom(self, now: float) -> float:
        """Return 1 for unused, 0 for used up or paused, below 0 for out of order."""
        if self._breaker is not None and self._breaker.is_open(now):
            return -1.0
        if self._paused_until > now:
            return 0.0
        free = [self.tokens.headroom(now)]
        if (limit := self._concurrency) is not None:
            free.append(max(0.0, 1 - limit.in_flight / limit.limit))
        if (rate := self._pace.rate) is not None:
            # Those who wait are so many seconds of the rate.
            free.append(1 / (1 + self.waiting / rate + max(0.0, self._pace.ready_at(now) - now)))
        else:
            free.append(1 / (1 + self.waiting))
        return min(free)


def _is_of_a_minute(told: Allowance) -> bool:
    """Return whether the limit is one of a minute: such a one is whole again after it.

    Some providers tell their limit of the day in the same headers. It is refused when it is used
    up, and says then how long to wait.
    """
    return told.reset_seconds <= _MINUTE_SECONDS + 1


def _told(allowance: Allowance | None) -> float | None:
    if allowance is None or not _is_of_a_minute(allowance):
        return None
    return allowance.limit * _OF_A_TOLD_LIMIT
