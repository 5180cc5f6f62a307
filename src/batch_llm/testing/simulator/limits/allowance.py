"""What one key may use of one model, and what it has used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .admission import Admission
from .bucket import Bucket
from .charges import held_by, used_by
from .slots import Slots
from .steepness import Steepness

if TYPE_CHECKING:
    from ..call import ModelCall, Usage
    from ..clock import Clock
    from .admission import Measure, Quota
    from .limit import Limit


class Allowance:
    """All that is counted for one key and model.

    Args:
        limit: in force.
        clock: simulated time.
        now: simulated unix seconds.
    """

    __slots__ = ("_buckets", "_clock", "_limit", "_steepness", "slots")

    def __init__(self, limit: Limit, clock: Clock, now: float) -> None:
        self._clock = clock
        self._limit: Limit | None = None
        self._buckets: dict[Measure, Bucket] = {}
        self._steepness: Steepness | None = None
        self.slots: Slots | None = None
        self.put_into_force(limit, now)

    def put_into_force(self, limit: Limit, now: float) -> None:
        """Take another limit; what was used of the old one counts on."""
        if limit == self._limit:
            return
        for measure, rate in _rates(limit).items():
            if rate is None:
                self._buckets.pop(measure, None)
            elif (bucket := self._buckets.get(measure)) is None:
                self._buckets[measure] = Bucket(rate, limit.burst_seconds, now)
            else:
                bucket.resize(rate, limit.burst_seconds, now)
        self._take_slope(limit)
        self._take_capacity(limit)
        self._limit = limit

    def _take_slope(self, limit: Limit) -> None:
        if limit.slope is None:
            self._steepness = None
        elif self._steepness is None or self._steepness.slope != limit.slope:
            self._steepness = Steepness(limit.slope)

    def _take_capacity(self, limit: Limit) -> None:
        if self.slots is not None:
            self.slots.resize(limit.capacity)
        elif limit.capacity is not None:
            self.slots = Slots(limit.capacity, self._clock)

    def admit(self, call: ModelCall, now: float) -> Admission:
        """Let a call start, and count it; or say what it exceeds, and count nothing.

        Of several limits that stand in the way, that which does so longest is told.
        """
        held = held_by(call)
        refusal = self._refusal(held, now)
        if refusal is not None:
            refusal.quotas = self._quotas(now)
            return refusal
        call.held = {
            measure: bucket.hold(held[measure]) for measure, bucket in self._buckets.items()
        }
        if self._steepness is not None:
            self._steepness.start()
        return Admission()

    def settle(self, call: ModelCall, usage: Usage, now: float) -> Admission:
        """Put what a call used in the place of what it held; return what is left.

        A call that began when a limit was not yet in force held nothing of it.
        """
        if not self._buckets:
            return Admission()
        held = call.held or {}
        for measure, amount in used_by(call, usage).items():
            if (bucket := self._buckets.get(measure)) is not None:
                bucket.settle(held.get(measure), amount, now)
        call.held = None
        return Admission(quotas=self._quotas(now))

    def is_idle(self, now: float) -> bool:
        """Return whether it is as good as new."""
        return (
            all(bucket.is_idle(now) for bucket in self._buckets.values())
            and (self._steepness is None or self._steepness.is_idle(now))
            and (self.slots is None or self.slots.is_idle())
        )

    def _refusal(self, held: dict[Measure, int], now: float) -> Admission | None:
        longest: Admission | None = None
        for measure, bucket in self._buckets.items():
            amount = max(1, held[measure])  # where nothing is left, nothing starts
            if bucket.never_holds(amount):
                return Admission(measure, requested=amount, too_large=True)
            wait = bucket.wait_seconds(amount, now)
            if wait > (0.0 if longest is None else longest.retry_after_seconds):
                longest = Admission(measure, wait, amount)
        if self._steepness is not None:
            wait = self._steepness.wait_seconds(now)
            if wait > (0.0 if longest is None else longest.retry_after_seconds):
                longest = Admission("slope", wait, 1)
        return longest

    def _quotas(self, now: float) -> dict[Measure, Quota]:
        return {measure: bucket.quota(now) for measure, bucket in self._buckets.items()}


def _rates(limit: Limit) -> dict[Measure, float | None]:
    return {
        "requests": limit.requests_per_minute,
        "tokens": limit.tokens_per_minute,
        "input_tokens": limit.input_tokens_per_minute,
        "output_tokens": limit.output_tokens_per_minute,
    }
