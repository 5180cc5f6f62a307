"""The flags of `batch-llm status` and `batch-llm results`, besides those of all such commands."""

from __future__ import annotations

from typing import Annotated

import typer

LedgerArgument = Annotated[
    str, typer.Argument(metavar="LEDGER", help="The ledger of a run, such as run.db.")
]
FailedOption = Annotated[bool, typer.Option("--failed", help="Only rows that failed.")]
SucceededOption = Annotated[bool, typer.Option("--succeeded", help="Only rows that succeeded.")]
AllOption = Annotated[
    bool,
    typer.Option("--all", help="Every end of a row that is kept, with its run; not the last only."),
]
