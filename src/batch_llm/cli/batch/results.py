"""`batch-llm batch results`: the rows of a state that have ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...batch.results.row_results import result_rows
from ...rows.sink import OutputError, check_output, open_sink
from ..door import format_or
from ..exit_status import ExitStatus
from ..sameness import check_apart
from .state import read_state

if TYPE_CHECKING:
    from pathlib import Path


def results(
    state: Path, output: Path | None, *, output_format: str | None = None, overwrite: bool = False
) -> ExitStatus:
    """Write how each row ended that has, also while a run goes on.

    Args:
        state: the state.
        output: where to write; None for standard output.
        output_format: its format; None takes that of its suffix, and JSONL for standard output.
        overwrite: whether `output` may exist.

    Raises:
        ConfigurationError: if there is no such state, or the output cannot be written.
        StateError: if the state cannot be read.
        OutputError: if the output cannot be written any longer.
    """
    path, folded = read_state(state)
    check_apart("STATE", state, None, output)
    check_output(output, path, overwrite=overwrite)
    row_format = format_or(output, output_format, standard="jsonl")
    asked = folded.state.asked
    kept, in_order = ([], False) if asked is None else (asked.kept, asked.in_input_order)
    try:
        with open_sink(output, row_format, kept, overwrite=overwrite) as sink:
            for row in result_rows(path, folded.state, in_input_order=in_order):
                sink.write(row)
    except OutputError as error:
        if not isinstance(error.__cause__, BrokenPipeError):
            raise
        # Its reader, `head` perhaps, has seen enough.
    return ExitStatus.SUCCEEDED
