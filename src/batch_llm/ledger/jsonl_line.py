"""The lines of a ledger in JSONL.

The first one says what the file is, and of which version. A run, a call or an item is one line
each, so that a file which ends anywhere holds the whole of whatever it holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from .entry import CallReserved, CallSettled, ItemEnded, RunBegun, RunEnded
from .record import KeptOutput, KeptResult, KeptRow

if TYPE_CHECKING:
    from ..base import TokenUsage
    from .entry import Entry

VERSION: Final = 1
FORMAT: Final = "batch-llm ledger"
# msgspec leaves a default out, and cannot tell a raw value from None.
_NO_OUTPUT: Final = msgspec.Raw(b"")


class Header(msgspec.Struct, tag_field="kind", tag="ledger"):
    """The first line."""

    format: str = FORMAT
    version: int = VERSION


class RunLine(msgspec.Struct, tag_field="kind", tag="run"):
    """A run began."""

    number: int
    pid: int
    batch_llm: str
    started_at: float


class EndLine(msgspec.Struct, tag_field="kind", tag="run_ended"):
    """A run ended in good order."""

    number: int
    ended_at: float
    counts: dict[str, float]


class CallLine(msgspec.Struct, tag_field="kind", tag="call"):
    """A call is about to be made."""

    number: int
    bound_usd: float


class SettledLine(msgspec.Struct, tag_field="kind", tag="settled"):
    """A call has been settled."""

    number: int
    usd: float


class ResultLine(msgspec.Struct, tag_field="kind", tag="result", omit_defaults=True):
    """An item ended."""

    item_id: str
    digest: bytes
    request: bytes
    run: int
    ended_at: float
    spent_usd: float
    attempts: int
    usage: dict[str, int]
    duration_seconds: float
    output: msgspec.Raw = _NO_OUTPUT
    output_class: str | None = None
    error: str | None = None
    error_category: str | None = None
    cost_usd: float | None = None
    unanswered_calls: int = 0
    prompt: str | None = None
    settled: list[int] = []
    counts_tokens: bool = True
    finish_reason: str | None = None

    @property
    def succeeded(self) -> bool:
        """Whether there is an output."""
        return self.output != _NO_OUTPUT

    def kept_result(self) -> KeptResult:
        """Return the success that the line holds."""
        assert self.succeeded, "asked of successes only"
        return KeptResult(
            item_id=self.item_id,
            output=KeptOutput(bytes(self.output), self.output_class),
            attempts=self.attempts,
            usage=_usage(self.usage),
            cost_usd=self.cost_usd,
            duration_seconds=self.duration_seconds,
            unanswered_calls=self.unanswered_calls,
            ended_at=self.ended_at,
            finish_reason=self.finish_reason,
        )

    def kept_row(self) -> KeptRow:
        """Return what the line holds, for readers."""
        return KeptRow(
            item_id=self.item_id,
            outcome="succeeded" if self.succeeded else "failed",
            output=bytes(self.output) if self.succeeded else None,
            error=self.error,
            error_category=self.error_category,
            attempts=self.attempts,
            usage=_usage(self.usage),
            cost_usd=self.cost_usd,
            duration_seconds=self.duration_seconds,
            unanswered_calls=self.unanswered_calls,
            prompt=self.prompt,
            run=self.run,
            ended_at=self.ended_at,
            digest=self.digest,
            finish_reason=self.finish_reason,
        )


Line: TypeAlias = Header | RunLine | EndLine | CallLine | SettledLine | ResultLine

decode_line = msgspec.json.Decoder(Line).decode
encode_line = msgspec.json.Encoder().encode


def line_of(entry: Entry, *, stores_prompts: bool) -> Line | None:
    """Return the line for an entry; None where there is nothing to write."""
    match entry:
        case ItemEnded():
            return _result_line(entry, stores_prompts=stores_prompts)
        case CallReserved():
            return CallLine(entry.call_number, entry.bound_usd)
        case CallSettled():
            return None if entry.usd is None else SettledLine(entry.call_number, entry.usd)
        case RunBegun():
            return RunLine(entry.run, entry.pid, entry.version, entry.at)
        case RunEnded():
            return EndLine(entry.run, entry.at, dict(entry.counts))


def _result_line(ended: ItemEnded, *, stores_prompts: bool) -> ResultLine:
    record, output = ended.record, ended.record.output
    return ResultLine(
        item_id=record.item.item_id,
        digest=record.item.digest,
        request=record.item.request,
        run=ended.run,
        ended_at=ended.at,
        spent_usd=ended.spent_usd,
        attempts=record.attempts,
        usage=record.usage,  # type: ignore[arg-type]  # a TypedDict is a dict, and not dict[str, int]
        duration_seconds=record.duration_seconds,
        output=msgspec.Raw(output.content) if output else _NO_OUTPUT,
        output_class=output and output.class_path,
        error=record.error,
        error_category=record.error_category,
        cost_usd=record.cost_usd,
        unanswered_calls=record.unanswered_calls,
        prompt=record.prompt_text if stores_prompts else None,
        settled=[s.call_number for s in record.settlements or () if s.usd is not None],
        counts_tokens=record.counts_tokens,
        finish_reason=record.finish_reason,
    )


def _usage(counts: dict[str, int]) -> TokenUsage:
    return counts  # type: ignore[return-value]  # written from one
