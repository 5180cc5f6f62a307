"""The flags of `batch-llm simulate`: what each is called, takes and says of itself."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

BooksName = Literal["all", "sums"]

ANSWERS = "What it answers"
TROUBLE = "Limits and faults"
TIME = "Time"

PortOption = Annotated[
    int, typer.Option(min=0, max=65_535, help="The port; 0 takes a free one, and prints it.")
]
HostOption = Annotated[str, typer.Option(metavar="ADDRESS", help="The address to listen on.")]
ConfigOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="All settings, as JSON or TOML; options given here go before it.",
    ),
]
AnswersOption = Annotated[
    str | None,
    typer.Option(
        metavar="SOURCE",
        help="auto, echo, schema, table:FILE.json, recorded:FILE.jsonl, function:MODULE:NAME or "
        "local. auto is JSON where a schema or a tool is asked for, else an echo.",
        rich_help_panel=ANSWERS,
    ),
]
SeedOption = Annotated[
    int | None,
    typer.Option(help="Runs with one seed go alike.", rich_help_panel=ANSWERS),
]
KeyOption = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="KEY",
        help="An API key that is right; may be given again. By default all are, but those that "
        "begin with 'wrong'.",
        rich_help_panel=ANSWERS,
    ),
]
RpmOption = Annotated[
    float | None,
    typer.Option(
        metavar="N", help="Requests a minute, for each key and model.", rich_help_panel=TROUBLE
    ),
]
TpmOption = Annotated[
    float | None,
    typer.Option(
        metavar="N", help="Tokens a minute, for each key and model.", rich_help_panel=TROUBLE
    ),
]
FaultOption = Annotated[
    list[str] | None,
    typer.Option(
        "--fault",
        metavar="FAULT",
        help="What goes wrong: a status or a kind, with a rate, such as 503:0.05 or dropped:0.01; "
        "or JSON. May be given again.",
        rich_help_panel=TROUBLE,
    ),
]
FaultsOption = Annotated[
    float | None,
    typer.Option(
        "--faults",
        metavar="RATE",
        help="Faults of many kinds, which together hit this share of calls, 0 to 1.",
        rich_help_panel=TROUBLE,
    ),
]
LatencyOption = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS", help="How long a call takes: the median.", rich_help_panel=TIME
    ),
]
LatencyKindOption = Annotated[
    Literal["fixed", "lognormal", "long_tail"] | None,
    typer.Option(help="How that time varies from call to call.", rich_help_panel=TIME),
]
SpeedOption = Annotated[
    float | None,
    typer.Option(
        metavar="N",
        help="Simulated seconds in a real one: at 10000 a day takes 9 seconds.",
        rich_help_panel=TIME,
    ),
]
BooksOption = Annotated[
    BooksName | None,
    typer.Option(
        help="all keeps a record of each call, sums only sums, however long it runs.",
    ),
]
