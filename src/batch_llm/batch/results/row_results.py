"""The rows of an input file in a state: written before their jobs, read back as results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from ...base import JobResult
from ...rows.result_row import INPUT_ERROR, ResultRow
from ..state.events import ResultKept, RowRead
from ..state.state_file import STATE, events, events_at

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ...base import TokenUsage
    from ...rows.plan import Entry
    from ..state.run_state import RunState

    Read: TypeAlias = dict[str, RowRead]

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_LENGTH: Final = "length"


def row_read(entry: Entry, row_id: str) -> RowRead:
    """Return what a state keeps of a row, besides its job."""
    error = None if entry.prompt is not None else f"InputError: {entry.reason}"
    row = RowRead(id=row_id, line=entry.line, error=error)
    if entry.kept is not None:
        row.input = msgspec.Raw(msgspec.json.encode(entry.kept))
    return row


def unusable_rows(path: Path) -> Iterator[JobResult]:
    """Yield the rows of a state that make no job: each has failed.

    Raises:
        StateError: if the file cannot be read.
    """
    for _, event in _events(path):
        if isinstance(event, RowRead) and event.error is not None:
            yield JobResult(event.id, error=event.error, error_category=INPUT_ERROR, cost_usd=0.0)


def result_rows(
    path: Path, state: RunState, *, in_input_order: bool = False
) -> Iterator[ResultRow]:
    """Yield how each row has ended that has, as `batch-llm run` writes it.

    Args:
        path: the state's file.
        state: what its events come to.
        in_input_order: in the order of the rows; else as they ended, those that make no job first.

    Raises:
        StateError: if the file cannot be read.
    """
    seconds = _seconds_of_batches(state)
    if in_input_order:
        yield from _in_input_order(path, state, seconds)
        return
    read: Read = {}
    for place, event in _events(path):
        if isinstance(event, RowRead):
            read[event.id] = event
            if event.error is not None:
                yield _unusable(event)
        elif isinstance(event, ResultKept) and state.result_place(event.job_id) == place:
            yield _answered(event, read.get(event.job_id), state, seconds)


def _in_input_order(path: Path, state: RunState, seconds: dict[str, float]) -> Iterator[ResultRow]:
    for row in [event for _, event in _events(path) if isinstance(event, RowRead)]:
        if row.error is not None:
            yield _unusable(row)
            continue
        place = state.result_place(row.id) if row.id in state else None
        if place is not None:
            yield _answered(_kept_at(path, place), row, state, seconds)


def _kept_at(path: Path, place: int) -> ResultKept:
    try:
        (event,) = events_at(path, [place])
    except (OSError, msgspec.DecodeError) as error:
        raise STATE.broken(path, "Reading", error) from error
    assert isinstance(event, ResultKept), "the index leads to results"
    return event


def _events(path: Path) -> Iterator[tuple[int, object]]:
    try:
        yield from events(path)
    except (OSError, msgspec.DecodeError) as error:
        raise STATE.broken(path, "Reading", error) from error


def _unusable(row: RowRead) -> ResultRow:
    return ResultRow(
        id=row.id,
        line=row.line,
        status="failed",
        error=row.error,
        error_category=INPUT_ERROR,
        input=_input(row),
    )


def _answered(
    kept: ResultKept, row: RowRead | None, state: RunState, seconds: dict[str, float]
) -> ResultRow:
    told = _decode(kept.result)
    has_succeeded, remote_id = kept.outcome == "succeeded", told.get("batch_id")
    was_called = remote_id is not None or kept.calls > 0
    return ResultRow(
        id=kept.job_id,
        line=None if row is None else row.line,
        status=kept.outcome,
        output=_output(told) if has_succeeded else None,
        error=told.get("error"),
        error_category=told.get("error_category"),
        attempts=_attempts(kept, state) if was_called else 0,
        tokens=_tokens(told),
        # Not that of the event, which lacks what was settled call by call.
        cost_usd=told.get("cost_usd"),
        unanswered_calls=kept.unanswered_calls,
        duration_seconds=kept.seconds if kept.calls else seconds.get(remote_id or "", 0.0),
        origin="call" if was_called else None,
        finish_reason=_LENGTH if told.get("is_truncated") else told.get("finish_reason"),
        input=None if row is None else _input(row),
    )


def _attempts(kept: ResultKept, state: RunState) -> int:
    """Return how often it was sent until it ended so; of what went live, each call counts."""
    ends = state.ends(kept.job_id)
    return ends - 1 + kept.calls if kept.calls else ends


def _input(row: RowRead) -> dict[str, Any] | None:
    return _decode(row.input) if memoryview(row.input).nbytes else None


def _output(told: dict[str, Any]) -> object:
    for name in ("parsed_response", "embedding"):
        if told.get(name) is not None:
            return told[name]
    return told.get("response")


def _tokens(told: dict[str, Any]) -> TokenUsage:
    sent, answered = told.get("input_tokens", 0), told.get("output_tokens", 0)
    return {
        "input_tokens": sent,
        "output_tokens": answered,
        "total_tokens": sent + answered,
        "cached_input_tokens": told.get("cached_input_tokens", 0),
    }


def _seconds_of_batches(state: RunState) -> dict[str, float]:
    """Return how long each remote batch took, from its plan to its end."""
    return {
        remote_id: max(0.0, chunk.ended_at - chunk.plan.at)
        for chunk in state.chunks
        for remote_id in chunk.remote_ids
        if chunk.ended_at is not None
    }
