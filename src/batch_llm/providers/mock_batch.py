"""A batch of a Batch API in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from ..wire.remote_status import RemoteCounts, RemoteStatus
from .mock_answers import undone

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..wire.batch_item import BatchAnswer, BatchOutcome, BatchRequestLine
    from ..wire.remote_status import RemoteEnd, RemoteError, RemoteState

    Execute: TypeAlias = Callable[[BatchRequestLine], BatchAnswer | None]


@dataclass(slots=True)
class MockBatch:
    """A batch of a `MockBatchClient`.

    Attributes:
        id: its name.
        nonce: of the intent that it was made for.
        lines: its requests.
        created_at: unix seconds, as all moments here.
        expires_at: when it expires.
        done_at: by job id, when its request is done.
        cancel_seconds: that a cancel takes.
        input: the file of its requests, or None.
        error: why it failed as a whole, or None.
        cancelled_at: when it was cancelled, or None.
        answers: of the requests that were executed, by job id; each is executed once.
        deleted: files that are gone.
    """

    id: str
    nonce: str
    lines: tuple[BatchRequestLine, ...] = field(repr=False)
    created_at: float
    expires_at: float
    done_at: dict[str, float] = field(repr=False)
    cancel_seconds: float = 0.0
    input: str | None = None
    error: RemoteError | None = None
    cancelled_at: float | None = None
    answers: dict[str, BatchAnswer | None] = field(default_factory=dict, repr=False)
    deleted: set[str] = field(default_factory=set, repr=False)

    @property
    def ends_at(self) -> float:
        """When it ends, as far as is known now."""
        if self.error is not None:
            return self.created_at
        ends = [max(self.done_at.values()), self.expires_at]
        if self.cancelled_at is not None:
            ends.append(self.cancelled_at + self.cancel_seconds)
        return min(ends)

    def has_ended(self, now: float) -> bool:
        """Return whether it has ended."""
        return now >= self.ends_at

    def status(self, now: float, answer: Execute) -> RemoteStatus:
        """Return how it stands.

        Args:
            now: the time.
            answer: executes a request.
        """
        has_ended = self.has_ended(now)
        state: RemoteState = "in_progress" if self.cancelled_at is None else "canceling"
        has_results = has_ended and self.error is None
        return RemoteStatus(
            id=self.id,
            state="ended" if has_ended else state,
            ended_as=self._ended_as() if has_ended else None,
            provider_state=self._ended_as() if has_ended else state,
            counts=self._counts(now, answer),
            created_at=self.created_at,
            ended_at=self.ends_at if has_ended else None,
            expires_at=self.expires_at,
            error=self.error,
            outputs=(f"{self.id}-results",) if has_results else (),
            inputs=() if self.input is None else (self.input,),
            name=self.nonce,
        )

    def results(self, now: float, answer: Execute) -> dict[str, BatchAnswer]:
        """Return, by job id, what became of the requests of a batch that has ended."""
        self._execute(now, answer)
        outcome: BatchOutcome = "canceled" if self._ended_as() == "cancelled" else "expired"
        found: dict[str, BatchAnswer] = {}
        for line in self.lines:
            job_id = line.custom_id
            told = self.answers.get(job_id) if job_id in self.answers else undone(job_id, outcome)
            if told is not None:
                found[job_id] = told
        return found

    def _counts(self, now: float, answer: Execute) -> RemoteCounts:
        if self.error is not None:
            return RemoteCounts(len(self.lines))
        self._execute(now, answer)
        succeeded = sum(
            told is None or told.outcome == "succeeded" for told in self.answers.values()
        )
        undone = len(self.lines) - len(self.answers) if self.has_ended(now) else 0
        was_cancelled = self._ended_as() == "cancelled"
        return RemoteCounts(
            len(self.lines),
            succeeded,
            len(self.answers) - succeeded,
            expired=0 if was_cancelled else undone,
            canceled=undone if was_cancelled else 0,
        )

    def _execute(self, now: float, answer: Execute) -> None:
        """Execute what is due and not done yet."""
        until = min(now, self._stops_at())
        for line in self.lines:
            is_due = self.done_at[line.custom_id] <= until
            if is_due and line.custom_id not in self.answers:
                self.answers[line.custom_id] = answer(line)

    def _stops_at(self) -> float:
        """Return the moment after which nothing is executed."""
        return self.expires_at if self.cancelled_at is None else self.cancelled_at

    def _ended_as(self) -> RemoteEnd:
        if self.error is not None:
            return "failed"
        if max(self.done_at.values()) <= self._stops_at():
            return "completed"
        return "expired" if self.cancelled_at is None else "cancelled"
