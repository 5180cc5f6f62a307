"""The flags of `batch-llm run`: what each is called, takes and says of itself."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

RowFormatName = Literal["jsonl", "csv", "tsv", "parquet"]

ROWS = "Rows"
REQUEST = "What each request asks"
PACE = "How fast"
OUTPUT = "Results"

InputArgument = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Rows to work on: a .jsonl, .ndjson, .csv, .tsv or .parquet file, or - for "
        "standard input.",
    ),
]
OutputOption = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTPUT",
        help="Where results go, in the format of its suffix; - for standard output.",
    ),
]
ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="local, local:PATH.gguf, openai:NAME, gemini:NAME, anthropic:NAME, or "
        "http://HOST/v1#NAME for a server that speaks OpenAI's Chat Completions.",
    ),
]
PromptOption = Annotated[
    str,
    typer.Option(
        "--prompt",
        "-p",
        metavar="TEMPLATE",
        help="The prompt; {field} and {author.name} stand for the row's values, {{ and }} for "
        "braces. @FILE reads it from a file.",
    ),
]
SystemOption = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="The system prompt, or @FILE.", rich_help_panel=REQUEST),
]
SchemaOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE.json|MODULE:MODEL",
        help="A JSON schema, or a pydantic model, that every answer must fit.",
        rich_help_panel=REQUEST,
    ),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The most tokens of an answer.", rich_help_panel=REQUEST),
]
TemperatureOption = Annotated[
    float | None,
    typer.Option(min=0, metavar="T", help="0 and up.", rich_help_panel=REQUEST),
]
TopPOption = Annotated[
    float | None,
    typer.Option(min=0, max=1, metavar="P", help="Above 0, at most 1.", rich_help_panel=REQUEST),
]
SeedOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Ask for repeatable answers.", rich_help_panel=REQUEST),
]
StopOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TEXT",
        help="A text at which an answer ends; may be given more than once.",
        rich_help_panel=REQUEST,
    ),
]
ApiKeyEnvOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The environment variable that holds the key, where it is not the usual one.",
        rich_help_panel=REQUEST,
    ),
]
InputFormatOption = Annotated[
    RowFormatName | None,
    typer.Option("--format", help="The format of INPUT.", rich_help_panel=ROWS),
]
IdFieldOption = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD",
        help="The field that holds a row's id. Without it: id, else custom_id, else the line.",
        rich_help_panel=ROWS,
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Take only the first N rows.", rich_help_panel=ROWS),
]
OutputFormatOption = Annotated[
    RowFormatName | None,
    typer.Option(help="The format of OUTPUT; jsonl on standard output.", rich_help_panel=OUTPUT),
]
OrderOption = Annotated[
    Literal["completion", "input"],
    typer.Option(
        help="Write results as they come, or in the order of INPUT: then a result waits in "
        "memory for all before it.",
        rich_help_panel=OUTPUT,
    ),
]
KeepOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD,…",
        help="Fields of the row to repeat in its result, under input.",
        rich_help_panel=OUTPUT,
    ),
]
KeepAllOption = Annotated[
    bool,
    typer.Option("--keep-all", help="Repeat all of them.", rich_help_panel=OUTPUT),
]
ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Overwrite OUTPUT.", rich_help_panel=OUTPUT),
]
MaxWorkersOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Calls in flight at once. Without it: 5, or what suits a local model.",
        rich_help_panel=PACE,
    ),
]
MaxAttemptsOption = Annotated[
    int,
    typer.Option(
        min=1,
        metavar="N",
        help="Attempts a row may have; rate limits do not count.",
        rich_help_panel=PACE,
    ),
]
TimeoutOption = Annotated[
    float,
    typer.Option(
        min=0, metavar="SECONDS", help="How long one attempt may take.", rich_help_panel=PACE
    ),
]
RpmOption = Annotated[
    float | None,
    typer.Option(min=0, metavar="N", help="Calls allowed in any 60 seconds.", rich_help_panel=PACE),
]
CooldownOption = Annotated[
    float,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long all calls pause after a rate limit that names no time.",
        rich_help_panel=PACE,
    ),
]
DryRunOption = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Check everything and estimate tokens; make no call, write nothing.",
        rich_help_panel=PACE,
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
