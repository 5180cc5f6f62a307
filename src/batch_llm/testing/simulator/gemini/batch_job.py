"""One batch of Gemini, and how it is told: as a long-running operation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from ..clock import rfc3339
from .codes import grpc_code

if TYPE_CHECKING:
    from ..batches import BatchRunner, BatchState, RemoteBatch
    from .batch_input import BatchLine

BatchKind = Literal["generateContent", "embedContent"]

_TYPES: Final[dict[BatchKind, str]] = {
    "generateContent": "GenerateContentBatch",
    "embedContent": "EmbedContentBatch",
}
_TYPE_PREFIX: Final = "type.googleapis.com/google.ai.generativelanguage.v1main."
_STATES: Final[dict[BatchState, str]] = {
    "validating": "BATCH_STATE_PENDING",
    "in_progress": "BATCH_STATE_RUNNING",
    "finalizing": "BATCH_STATE_RUNNING",
    "completed": "BATCH_STATE_SUCCEEDED",
    "failed": "BATCH_STATE_FAILED",
    "expired": "BATCH_STATE_EXPIRED",
    "cancelled": "BATCH_STATE_CANCELLED",
}
_ENDED_BADLY: Final[dict[BatchState, tuple[str, str]]] = {
    "cancelled": ("CANCELLED", "The operation was cancelled."),
    "expired": ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}


@dataclass(slots=True)
class BatchJob:
    """One batch.

    Attributes:
        batch: in no provider's words; its id is the name without "batches/".
        kind: what its lines ask for.
        display_name: as the client told it; None where it did not.
        input_file: "files/abc"; None where the lines came with the request.
        output_file: "files/batch-abc", once the results are written; None before, and inline.
        bare: numbers of the inline lines whose results come without their metadata.
        runner: what runs it; None once it has ended.
    """

    batch: RemoteBatch
    kind: BatchKind
    display_name: str | None
    input_file: str | None
    output_file: str | None = None
    bare: frozenset[int] = frozenset()
    runner: BatchRunner[BatchLine] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The name in the API."""
        return f"batches/{self.batch.id}"

    @property
    def is_inline(self) -> bool:
        """Whether its lines came with the request, and its results come with the batch."""
        return self.input_file is None

    def encoded(self, *, with_inline_results: bool = True) -> dict[str, object]:
        """Return the operation as the API tells it.

        A batch that goes on has neither `done` nor a result. One that succeeded has `response`,
        which repeats the metadata's `output`; any other end has `error`, and no output: an
        expired job "will not have any results to retrieve", says Google, and of cancelled ones
        it promises none. Counts are texts, and those of 0 are left out, as proto3 has it.

        Args:
            with_inline_results: False, as lists have it, leaves them out.
        """
        batch = self.batch
        operation: dict[str, object] = {"name": self.name}
        output = self._output(with_inline_results)
        operation["metadata"] = self._metadata(output)
        if not batch.has_ended:
            return operation
        operation["done"] = True
        if batch.state == "completed":
            operation["response"] = {"@type": f"{self._type}Output", **output}
        else:
            operation["error"] = self._error()
        return operation

    @property
    def _type(self) -> str:
        return _TYPE_PREFIX + _TYPES[self.kind]

    def _metadata(self, output: dict[str, object]) -> dict[str, object]:
        batch = self.batch
        metadata: dict[str, object] = {
            "@type": self._type,
            "model": f"models/{batch.model}",
        }
        if self.display_name is not None:
            metadata["displayName"] = self.display_name
        if self.input_file is not None:
            metadata["inputConfig"] = {"fileName": self.input_file}
        if output:
            metadata["output"] = output
        metadata["createTime"] = rfc3339(batch.created_at)
        if batch.has_ended:
            metadata["endTime"] = rfc3339(batch.reached[batch.state])
        metadata["updateTime"] = rfc3339(max(batch.reached.values(), default=batch.created_at))
        metadata["batchStats"] = self._stats()
        metadata["state"] = self._state()
        metadata["name"] = self.name
        return metadata

    def _state(self) -> str:
        """Return Google's word; it has none for a batch that is being cancelled."""
        if self.batch.state != "cancelling":
            return _STATES[self.batch.state]
        return _STATES["in_progress" if "in_progress" in self.batch.reached else "validating"]

    def _stats(self) -> dict[str, str]:
        batch = self.batch
        total = len(batch.custom_ids)
        succeeded, failed = batch.count("succeeded"), batch.count("errored")
        counts = {
            "requestCount": total,
            "successfulRequestCount": succeeded,
            "failedRequestCount": failed,
            "pendingRequestCount": total - succeeded - failed,
        }
        return {name: str(count) for name, count in counts.items() if count}

    def _output(self, with_inline_results: bool) -> dict[str, object]:
        if self.batch.state != "completed":
            return {}
        if not self.is_inline:
            return {"responsesFile": self.output_file}
        if not with_inline_results:
            return {}
        results = [msgspec.Raw(line.encoded) for line in self.batch.done]
        return {"inlinedResponses": {"inlinedResponses": results} if results else {}}

    def _error(self) -> dict[str, object]:
        word, message = self.batch.failure or _ENDED_BADLY[self.batch.state]
        return {"code": grpc_code(word), "message": message}
