"""One batch, as Anthropic holds and shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..clock import rfc3339

if TYPE_CHECKING:
    from ..batches import BatchRunner, DoneLine, RemoteBatch
    from .batch_input import BatchLine

_KEPT_SECONDS: Final = 29 * 24 * 3_600
_WITHOUT_RESULT: Final = ("canceled", "expired")


@dataclass(slots=True)
class BatchJob:
    """One batch.

    Attributes:
        batch: in no provider's words.
        runner: what runs it.
    """

    batch: RemoteBatch
    runner: BatchRunner[BatchLine]

    def is_archived(self, now: float) -> bool:
        """Return whether its results are gone by now."""
        return now >= self.batch.created_at + _KEPT_SECONDS

    def encoded(self, now: float, origin: str) -> dict[str, Any]:
        """Return it as the API shows it.

        Args:
            now: simulated unix seconds.
            origin: what addresses begin with, such as "http://127.0.0.1:8080/anthropic".
        """
        batch = self.batch
        ended, archived = batch.has_ended, self.is_archived(now)
        cancelled_at = batch.reached.get("cancelling")
        results = f"{origin}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": _processing_status(batch),
            "request_counts": _request_counts(batch),
            "created_at": rfc3339(batch.created_at),
            "expires_at": rfc3339(batch.expires_at),
            "ended_at": rfc3339(batch.reached[batch.state]) if ended else None,
            "cancel_initiated_at": None if cancelled_at is None else rfc3339(cancelled_at),
            "archived_at": rfc3339(batch.created_at + _KEPT_SECONDS) if archived else None,
            "results_url": results if ended and not archived else None,
        }

    def results(self) -> bytes:
        """Return the results file."""
        return b"".join(_result_line(line) for line in self.batch.done)


def _processing_status(batch: RemoteBatch) -> str:
    if batch.has_ended:
        return "ended"
    return "canceling" if batch.state == "cancelling" else "in_progress"


def _request_counts(batch: RemoteBatch) -> dict[str, int]:
    """Return how many requests ended how: all of them are processing until the batch ends."""
    total, ended = len(batch.custom_ids), batch.has_ended
    counts = {
        "succeeded": batch.count("succeeded") if ended else 0,
        "canceled": batch.count("canceled") if ended else 0,
        "expired": batch.count("expired") if ended else 0,
    }
    errored = total - sum(counts.values()) if ended else 0
    return {"processing": 0 if ended else total, "errored": errored, **counts}


def _result_line(line: DoneLine) -> bytes:
    """Return a line of the results file."""
    inner = b"" if line.end in _WITHOUT_RESULT else b"," + line.encoded
    head = f'{{"custom_id":"{line.custom_id}","result":{{"type":"{line.end}"'.encode()
    return head + inner + b"}}\n"
