"""Tokens a minute: reserved before a call, settled after it."""

from __future__ import annotations

import math
from collections import deque
from typing import Final, NamedTuple

_WINDOW_SECONDS: Final = 60.0
_BURST_SECONDS: Final = 1.0
# How fast the mean of real use over reserved follows.
_FOLLOW: Final = 0.1


class TokenHold(NamedTuple):
    """Tokens that are held for one call in flight.

    Attributes:
        tokens: reserved.
        expected: of these, how many will probably be used.
    """

    tokens: int
    expected: float


class TokenBudget:
    """Tokens of a sliding minute.

    A provider may count a call's tokens when it starts, when it ends, or in between, and nobody
    tells. So what a call reserves is held from its start, and what it really used until a minute
    after its end: wherever its tokens fall, no half-open 60 seconds hold more than the limit, as
    long as no call uses more than it reserved.

    Starts are spread besides, at `smoothing` times the limit: a minute's worth does not go out in
    one second. Above 1, what calls hold longer than a minute is caught up with.

    A call that reserves more than the whole limit goes alone, once nothing else is held. It cannot
    be told apart from one whose bound is high and whose use is small, and would wait for ever.

    Args:
        limit: tokens a minute.
        smoothing: how much faster than the limit starts may follow each other.
    """

    __slots__ = (
        "_debt",
        "_debt_at",
        "_in_flight",
        "_kept",
        "_share_used",
        "_smoothing",
        "_spent",
        "limit",
    )

    def __init__(self, limit: float, smoothing: float = 1.2) -> None:
        self.limit = limit
        self._smoothing = smoothing
        self._in_flight = 0
        self._kept = 0
        self._spent: deque[tuple[float, int]] = deque()
        # Tokens that starts are ahead of the pace; it goes down at the pace.
        self._debt = 0.0
        self._debt_at = 0.0
        self._share_used = 1.0

    def ready_at(self, tokens: int, now: float) -> float:
        """Return when `tokens` may be reserved: `now` at the earliest, inf if calls must end first.

        When one of them is settled, ask again.
        """
        self._forget(now)
        if not self._in_flight and not self._spent:
            return now
        paced = now + max(0.0, self._debt - self._per_second * _BURST_SECONDS) / self._per_second
        missing = self._in_flight + self._kept + tokens - self.limit
        if missing <= 0:
            return paced
        for expires, amount in self._spent:
            missing -= amount
            if missing <= 0:
                return max(paced, expires)
        return math.inf if self._in_flight else max(paced, self._spent[-1][0])

    def reserve(self, tokens: int, now: float) -> TokenHold:
        """Hold tokens for a call that starts now."""
        self._forget(now)
        hold = TokenHold(tokens, tokens * self._share_used)
        self._in_flight += tokens
        self._debt += hold.expected
        return hold

    def settle(self, hold: TokenHold | None, used: int | None, now: float) -> None:
        """Put what a call used in the place of its hold; None keeps all that was held.

        A call that began before there was a budget has no hold.
        """
        self._forget(now)
        spent = used if used is not None else 0 if hold is None else hold.tokens
        if hold is not None:
            self._in_flight -= hold.tokens
            self._debt = max(0.0, self._debt + spent - hold.expected)
            if used and hold.tokens:
                share = min(1.0, used / hold.tokens)
                self._share_used += _FOLLOW * (share - self._share_used)
        if spent:
            self._kept += spent
            self._spent.append((now + _WINDOW_SECONDS, spent))

    def headroom(self, now: float) -> float:
        """Return the free share of the limit, from 0 to 1."""
        self._forget(now)
        return max(0.0, 1 - (self._in_flight + self._kept) / self.limit)

    @property
    def in_flight(self) -> int:
        """Tokens that are reserved and not settled."""
        return self._in_flight

    @property
    def _per_second(self) -> float:
        return self.limit * self._smoothing / _WINDOW_SECONDS

    def _forget(self, now: float) -> None:
        while self._spent and self._spent[0][0] <= now:
            self._kept -= self._spent.popleft()[1]
        self._debt = max(0.0, self._debt - (now - self._debt_at) * self._per_second)
        self._debt_at = now
