"""One batch, as OpenAI holds and shows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..call import Usage
from .batch_input import InputProblem
from .usage import batch_usage

if TYPE_CHECKING:
    from ..batches import BatchState, RemoteBatch
    from .batch_order import BatchOrder

_MOMENTS: Final[tuple[tuple[str, BatchState], ...]] = (
    ("in_progress_at", "in_progress"),
    ("finalizing_at", "finalizing"),
    ("completed_at", "completed"),
    ("failed_at", "failed"),
    ("expired_at", "expired"),
    ("cancelling_at", "cancelling"),
    ("cancelled_at", "cancelled"),
)


@dataclass(slots=True)
class BatchJob:
    """One batch.

    Attributes:
        remote: what it has in common with other providers' batches.
        order: what the client asked for.
        errors: what is wrong with its input.
        usage: tokens billed so far.
        output_file_id: of the lines that were answered; None before the end, and where none was.
        error_file_id: of all other lines; None before the end, and where there is none.
    """

    remote: RemoteBatch
    order: BatchOrder
    errors: list[InputProblem] = field(default_factory=list)
    usage: Usage = field(default_factory=Usage)
    output_file_id: str | None = None
    error_file_id: str | None = None

    def encoded(self) -> dict[str, Any]:
        """Return it as OpenAI shows it: all fields in all states, null where not yet known."""
        remote, order = self.remote, self.order
        return {
            "id": remote.id,
            "object": "batch",
            "endpoint": order.endpoint,
            "model": remote.model or None,
            "errors": self._errors(),
            "input_file_id": order.input_file_id,
            "completion_window": order.completion_window,
            "status": remote.state,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "created_at": int(remote.created_at),
            "expires_at": int(remote.expires_at),
            **{name: self._moment(state) for name, state in _MOMENTS},
            "request_counts": self._counts(),
            "usage": batch_usage(self.usage),
            "metadata": order.metadata,
        }

    def _errors(self) -> dict[str, Any] | None:
        errors = self.errors
        if not errors and (failure := self.remote.failure) is not None:
            errors = [InputProblem(*failure)]
        if not errors:
            return None
        return {"object": "list", "data": [error.encoded() for error in errors]}

    def _moment(self, state: BatchState) -> int | None:
        moment = self.remote.reached.get(state)
        return None if moment is None else int(moment)

    def _counts(self) -> dict[str, int]:
        """Count the lines; none are counted before they are checked, nor where that failed."""
        remote = self.remote
        checked = remote.state not in ("validating", "failed")
        completed = remote.count("succeeded")
        ended = completed + remote.count("errored")
        ended += remote.count("expired") + remote.count("canceled")
        return {
            "total": len(remote.custom_ids) if checked else 0,
            "completed": completed,
            "failed": ended - completed,
        }
