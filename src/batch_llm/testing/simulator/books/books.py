"""What the provider accepted, answered and billed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from .record import CallRecord

if TYPE_CHECKING:
    from ..call import ModelCall, Usage
    from ..clock import Clock
    from .record import Fate

Keep = Literal["all", "sums"]


class Books:
    """The ledger of truth.

    Args:
        clock: simulated time.
        keep: "all" keeps a record of each call, "sums" only sums: its memory does not grow.
    """

    def __init__(self, clock: Clock, keep: Keep = "all") -> None:
        self._clock = clock
        self._keep = keep
        self.records: list[CallRecord] = []

    def open(self, call: ModelCall) -> CallRecord:
        """Note that a call has come."""
        record = CallRecord(
            self._clock.now(),
            call.provider,
            call.operation,
            call.model,
            call.key,
            call.lane,
            call.identity,
            call.custom_id,
            call.prompt,
        )
        self.records.append(record)
        return record

    def execute(self, record: CallRecord, usage: Usage) -> None:
        """Bill a call."""
        record.executed = True
        record.usage = usage

    def close(self, record: CallRecord, fate: Fate, status: int) -> None:
        """Note how a call ended."""
        record.fate = fate
        record.status = status

    def note_request(self, provider: str, route: str, status: int) -> None:
        """Count an HTTP request, of any endpoint; status 0 is one that got no answer."""

    def note_create(self, provider: str, kind: str, name: str, identity: bytes) -> None:
        """Note that a thing was made ("file", "batch", "cache"), from a request of `identity`."""
