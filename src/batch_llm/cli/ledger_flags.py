"""The flags of `batch-llm status` and `batch-llm results`."""

from __future__ import annotations

from typing import Annotated

import typer

from .flags import RowFormatName

LedgerArgument = Annotated[
    str, typer.Argument(metavar="LEDGER", help="The ledger of a run, such as run.db.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
FailedOption = Annotated[bool, typer.Option("--failed", help="Only rows that failed.")]
SucceededOption = Annotated[bool, typer.Option("--succeeded", help="Only rows that succeeded.")]
AllOption = Annotated[
    bool,
    typer.Option("--all", help="Every end of a row that is kept, with its run; not the last only."),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTPUT",
        help="Where rows go, in the format of its suffix; - for standard output.",
    ),
]
FormatOption = Annotated[
    RowFormatName | None,
    typer.Option("--format", help="The format of OUTPUT; jsonl on standard output."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Overwrite OUTPUT.")]
