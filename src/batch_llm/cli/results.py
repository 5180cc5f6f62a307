"""`batch-llm results`: the rows that a ledger keeps."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from ..ledger import read_ledger
from ..rows.result_row import RESULT_COLUMNS, RUN_COLUMNS, ResultRow
from ..rows.sink import OutputError, check_output, open_sink
from .door import format_or
from .exit_status import ExitStatus

if TYPE_CHECKING:
    from pathlib import Path

    from ..ledger import KeptOutcome, KeptRow


def results(
    path: Path,
    output: Path | None,
    *,
    output_format: str | None = None,
    outcome: KeptOutcome | None = None,
    overwrite: bool = False,
    every_end: bool = False,
) -> ExitStatus:
    """Write how each row stands, in the order in which they ended.

    Args:
        path: the ledger.
        output: where to write; None for standard output.
        output_format: its format; None takes that of its suffix, and JSONL for standard output.
        outcome: only rows of this one.
        overwrite: whether `output` may exist.
        every_end: write all ends of each row that are kept, with their runs.

    Raises:
        ConfigurationError: if there is no such ledger, or the output cannot be written.
        LedgerError: if the ledger cannot be read.
        OutputError: if the output cannot be written any longer.
    """
    ledger = read_ledger(path)
    check_output(output, ledger.path, overwrite=overwrite)
    row_format = format_or(output, output_format, standard="jsonl")
    columns = RUN_COLUMNS if every_end else RESULT_COLUMNS
    try:
        with ExitStack() as resources:
            sink = resources.enter_context(
                open_sink(output, row_format, columns=columns, overwrite=overwrite)
            )
            for row in ledger.results(outcome=outcome, all=every_end):
                sink.write(result_row(row, with_run=every_end))
    except OutputError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            raise
        # Its reader, `head` perhaps, has seen enough.
    return ExitStatus.SUCCEEDED


def result_row(row: KeptRow, *, with_run: bool = False) -> ResultRow:
    """Return what the ledger keeps of a row, as a run writes it; the ledger knows no lines."""
    return ResultRow(
        id=row.item_id,
        line=None,
        status=row.outcome,
        output=None if row.output is None else msgspec.json.decode(row.output),
        error=row.error,
        error_category=row.error_category,
        attempts=row.attempts,
        tokens=row.usage,
        cost_usd=row.cost_usd,
        unanswered_calls=row.unanswered_calls,
        duration_seconds=row.duration_seconds,
        origin="ledger",
        finish_reason=row.finish_reason,
        run=row.run if with_run else None,
    )
