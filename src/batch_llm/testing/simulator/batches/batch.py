"""A remote batch, in no provider's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from ..books import CallRecord
    from ..call import Provider
    from ..faults import Fault, FaultKind

BatchState = Literal[
    "validating",
    "in_progress",
    "finalizing",
    "completed",
    "failed",
    "expired",
    "cancelling",
    "cancelled",
]
ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})

LineEnd = Literal["succeeded", "errored", "expired", "canceled"]


@dataclass(slots=True)
class DoneLine:
    """The result of one line.

    Attributes:
        custom_id: the client's name for it; "" where it gave none.
        end: how it ended.
        encoded: the result as the provider writes it, without a line break; empty for lines that
            expired or were cancelled, which the provider's own code writes.
        record: the line's entry in the books, which the runner closes at the batch's end; None
            where there is none, or where it is closed already.
        status: of HTTP, for the books.
    """

    custom_id: str
    end: LineEnd
    encoded: bytes = b""
    record: CallRecord | None = None
    status: int = 200


@dataclass(slots=True)
class RemoteBatch:
    """One batch at a provider.

    Attributes:
        id: the provider's name for it.
        provider: whose it is.
        key: the API key that made it, and alone sees it.
        model: that of its lines.
        created_at: simulated unix seconds.
        expires_at: when it ends in any case.
        subject: what chance depends on: a digest of what the client sent, and how often that was
            seen. The id would not do, since it depends on the order in which requests come.
        custom_ids: of all lines, in the order in which they came in.
        state: where it stands.
        reached: the planned moment of each state that was reached, in simulated unix seconds.
        done: results so far, in the order in which lines ran; at the end, one for each line but
            for those that a fault took away. Lines come in by `add`.
        faults: what goes wrong with it, on purpose.
        failure: why it failed as a whole: the provider's code, and a sentence.
        input_tokens: of all lines.
        deleted: whether the client deleted it, so that nobody reads results that are still to come.
    """

    id: str
    provider: Provider
    key: str
    model: str
    created_at: float
    expires_at: float
    subject: bytes
    custom_ids: list[str] = field(default_factory=list)
    state: BatchState = "validating"
    reached: dict[BatchState, float] = field(default_factory=dict)
    done: list[DoneLine] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    failure: tuple[str, str] | None = None
    input_tokens: int = 0
    deleted: bool = False
    _counts: dict[LineEnd, int] = field(default_factory=dict)

    @property
    def has_ended(self) -> bool:
        """Whether its state changes no more."""
        return self.state in ENDED

    def add(self, line: DoneLine) -> None:
        """Take in the result of a line."""
        self.done.append(line)
        self._counts[line.end] = self._counts.get(line.end, 0) + 1

    def count(self, end: LineEnd) -> int:
        """Return how many lines ended so, so far; lines that a fault took away count too."""
        return self._counts.get(end, 0)

    def fault(self, kind: FaultKind) -> Fault | None:
        """Return the fault of this kind that the batch has, or None."""
        return next((fault for fault in self.faults if fault.kind is kind), None)
