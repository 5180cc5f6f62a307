"""The flags of the commands that tell what is kept, of a ledger and of a batch's state alike."""

from __future__ import annotations

from typing import Annotated

import typer

from .flags import RowFormatName

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
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
