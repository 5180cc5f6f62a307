"""How many starts a second a provider takes that does not say so, found by its refusals."""

from __future__ import annotations

from collections import deque
from typing import Final

_REMEMBERED_STARTS: Final = 20_000
_RECENT_SECONDS: Final = 5.0
# An interval must be long enough to divide by, and hold enough starts to count.
_LEAST_SECONDS: Final = 0.5
_LEAST_STARTS: Final = 10
_BACKED_OFF: Final = 0.05
_MOST_AT_ONCE: Final = 0.5
_CHANGED: Final = 0.15
_LEAST_RATE: Final = 1 / 60
# Once it has grown so far without a refusal, what stood in the way is gone.
_GONE_AT: Final = 10.0
# For so long after a start that had to wait, the rate counts as used to the full.
_IN_USE_SECONDS: Final = 2.0


class RateFinder:
    """Finds a rate of starts.

    Two refusals mark two moments at which the provider had nothing left. Whatever started in
    between and was not refused is what it allowed in that time, however large its bucket: that
    quotient is the rate. (Where it is far from that of the last seconds, the limit has changed in
    between, and theirs is taken.) From a twentieth below, the rate climbs back within some
    seconds, lingers there, and then rises ever faster in search of more, as CUBIC does (RFC 9438,
    section 4.2), while it is used to the full. Lower rates are tried for longer, so that of about
    a hundred calls one is refused.

    Single refusals far apart are no rate: it begins with a share of refusals.

    Args:
        share: of the starts that must have been refused for a rate to be taken for real.
    """

    __slots__ = (
        "_age",
        "_aged_at",
        "_bursts",
        "_decided",
        "_in_use_until",
        "_most",
        "_refused",
        "_share",
        "_starts",
    )

    def __init__(self, share: float) -> None:
        self._share = share
        self._starts: deque[float] = deque(maxlen=_REMEMBERED_STARTS)
        self._refused: deque[float] = deque(maxlen=_REMEMBERED_STARTS)
        self._bursts: deque[float] = deque(maxlen=64)
        self._decided = -1.0
        # The rate at the last refusal; the age of what has been learned from it.
        self._most: float | None = None
        self._age = 0.0
        self._aged_at = 0.0
        self._in_use_until = 0.0

    def started(self, now: float, *, has_waited: bool) -> None:
        """Learn of a start; `has_waited` says that it was held back for the rate."""
        self._starts.append(now)
        if has_waited:
            self._in_use_until = now + _IN_USE_SECONDS

    def rate(self, now: float) -> float | None:
        """Return the starts a second that may be made; None where nothing is known."""
        if self._most is None:
            return None
        if now < self._in_use_until:
            self._age += now - self._aged_at
        self._aged_at = now
        plateau = min(60.0, max(10.0, 50 / self._most))
        growth = 1 + _BACKED_OFF * ((self._age - plateau) / plateau) ** 3
        if growth > _GONE_AT:
            self._most = None
            return None
        return max(_LEAST_RATE, self._most * growth)

    def refused(self, started: float, now: float) -> bool:
        """Learn that a call that started then was refused; return whether that is news.

        It is none where the call had started before the last news: it belongs to the same burst.
        """
        self._refused.append(started)
        if started <= self._decided:
            return False
        allowed = self._allowed(started)
        self._decided = now
        self._bursts.append(started)
        if allowed is not None:
            current = self.rate(now)
            if current is not None:
                allowed = min(current, max(allowed, current * _MOST_AT_ONCE))
            self._most = max(_LEAST_RATE, allowed)
            self._age = 0.0
            self._aged_at = now
        return True

    def recent(self, now: float) -> float:
        """Return the starts a second of the last seconds, those that were refused left out."""
        return self._count(now - _RECENT_SECONDS, now) / _RECENT_SECONDS

    def _allowed(self, until: float) -> float | None:
        """Return the rate between an earlier refusal and `until`, if it is one."""
        for since in reversed(self._bursts):
            starts = self._between(self._starts, since, until)
            if until - since >= _LEAST_SECONDS and starts >= _LEAST_STARTS:
                refused = self._between(self._refused, since, until)
                if self._most is None and refused < self._share * starts:
                    return None
                between = (starts - refused) / (until - since)
                return between if until - since <= _RECENT_SECONDS else self._newer(between, until)
            if until - since > 12 * _RECENT_SECONDS:
                break
        return None

    def _newer(self, between: float, until: float) -> float:
        """Return the rate of the last seconds where it has changed since the earlier refusal."""
        recent = self.recent(until)
        return recent if abs(recent - between) > _CHANGED * between else between

    def _count(self, since: float, until: float) -> int:
        starts = self._between(self._starts, since, until)
        return starts - self._between(self._refused, since, until)

    @staticmethod
    def _between(times: deque[float], since: float, until: float) -> int:
        count = 0
        for moment in reversed(times):
            if moment < since:
                break
            count += moment < until
        return count
