"""Sums over calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..call import Lane, Provider, Usage
    from ..faults import FaultKind
    from .record import CallRecord, Fate


class Scope(NamedTuple):
    """Which calls are summed up together.

    Attributes:
        provider: whose API it was.
        model: as the client named it.
        key: the API key.
        lane: live, or lines of batches.
        operation: the endpoint.
    """

    provider: Provider
    model: str
    key: str
    lane: Lane
    operation: str


@dataclass(slots=True)
class Sums:
    """What calls came to.

    Attributes:
        requests: calls that came.
        executed: those that the model ran, and that are billed.
        answered: those whose answer arrived in full.
        lost: those that are billed, but whose answer did not arrive whole.
        limited: those that a limit refused.
        failed: those that failed before anything was done.
        failed_by_status: these by the HTTP status that was sent; 0 is none.
        by_fault: calls that met a fault, executed or not, by its kind.
        input_tokens: billed, what caches gave and took included.
        cached_input_tokens: the part of them that was read from a cache.
        cache_write_tokens: the part of them that was written to a cache.
        output_tokens: billed, reasoning included.
        reasoning_tokens: the part of them that is not shown.
        usd: billed, for the calls whose price is known.
        unpriced: executed calls whose price is not known: `usd` is without them.
    """

    requests: int = 0
    executed: int = 0
    answered: int = 0
    lost: int = 0
    limited: int = 0
    failed: int = 0
    failed_by_status: dict[int, int] = field(default_factory=dict)
    by_fault: dict[FaultKind, int] = field(default_factory=dict)
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    usd: float = 0.0
    unpriced: int = 0

    @property
    def open(self) -> int:
        """Calls that are not at an end."""
        return self.requests - self.answered - self.lost - self.limited - self.failed

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def bill(self, usage: Usage, usd: float | None) -> None:
        """Add a call that was executed."""
        self.executed += 1
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cached_input_tokens += usage.cached_input_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.reasoning_tokens += usage.reasoning_tokens
        if usd is None:
            self.unpriced += 1
        else:
            self.usd += usd

    def end(self, record: CallRecord, fate: Fate, status: int) -> None:
        """Add a call that is at an end."""
        if fate == "answered":
            self.answered += 1
        elif fate == "lost":
            self.lost += 1
        elif fate == "limited":
            self.limited += 1
        elif fate == "failed":
            self.failed += 1
            self.failed_by_status[status] = self.failed_by_status.get(status, 0) + 1
        if (fault := record.fault) is not None:
            self.by_fault[fault] = self.by_fault.get(fault, 0) + 1

    def add(self, other: Sums) -> None:
        """Add other sums to these."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for status, count in other.failed_by_status.items():
            self.failed_by_status[status] = self.failed_by_status.get(status, 0) + count
        for fault, count in other.by_fault.items():
            self.by_fault[fault] = self.by_fault.get(fault, 0) + count

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values; the keys of `failed_by_status` are texts."""
        by_status = {str(status): count for status, count in self.failed_by_status.items()}
        by_fault = {fault.value: count for fault, count in self.by_fault.items()}
        return {
            **asdict(self),
            "open": self.open,
            "total_tokens": self.total_tokens,
            "failed_by_status": by_status,
            "by_fault": by_fault,
        }


_NUMBERS = tuple(name for name in Sums.__slots__ if name not in ("failed_by_status", "by_fault"))
