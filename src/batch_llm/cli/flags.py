"""The flags of `batch-llm run`: what each is called, takes and says of itself."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

RowFormatName = Literal["jsonl", "csv", "tsv", "parquet"]

REQUEST = "What each request asks"
ROWS = "Rows"
OUTPUT = "Results"
LEDGER = "To go on later"
MONEY = "What it may cost"
PACE = "How fast, how long"
TRIAL = "Before it begins"

InputArgument = Annotated[
    str,
    typer.Argument(
        metavar="INPUT",
        help="Rows to work on: a .jsonl, .ndjson, .csv, .tsv or .parquet file, or - for "
        "standard input.",
    ),
]
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTPUT",
        help="Where results go, in the format of its suffix; - for standard output. Needed, but "
        "for a trial.",
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
ThenOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL",
        help="The model to ask where the one before answered badly; may be given more than once.",
        rich_help_panel=REQUEST,
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
LedgerOption = Annotated[
    str | None,
    typer.Option(
        metavar="FILE",
        help="Keep there what has been done, such as run.db: nothing finished is lost or paid for "
        "twice.",
        rich_help_panel=LEDGER,
    ),
]
ResumeOption = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Go on with what the ledger holds; begin, where it holds nothing.",
        rich_help_panel=LEDGER,
    ),
]
KeepPromptsOption = Annotated[
    bool,
    typer.Option(
        "--prompts/--no-prompts",
        help="Keep prompts as text in the ledger, or their hashes alone.",
        rich_help_panel=LEDGER,
    ),
]
DurabilityOption = Annotated[
    Literal["process", "power"],
    typer.Option(
        help="What results survive: the end of the process, kill -9 included, or a loss of power "
        "too.",
        rich_help_panel=LEDGER,
    ),
]
CacheOption = Annotated[
    bool,
    typer.Option(
        "--cache",
        help="Answer a row with what the ledger holds for an equal request of another.",
        rich_help_panel=LEDGER,
    ),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="USD",
        help="The most that all calls may cost, those of earlier runs in the ledger included. "
        "Never exceeded.",
        rich_help_panel=MONEY,
    ),
]
PricedAsOption = Annotated[
    str | None,
    typer.Option(
        metavar="PROVIDER:MODEL",
        help="What calls of MODEL are billed as, where it is at an address.",
        rich_help_panel=MONEY,
    ),
]
ShareOption = Annotated[
    bool | None,
    typer.Option(
        "--share/--no-share",
        help="Let equal requests in flight share one call, or never. Without it: where the "
        "temperature is 0.",
        show_default=False,
        rich_help_panel=MONEY,
    ),
]
EstimateOption = Annotated[
    bool,
    typer.Option(
        "--estimate",
        help="Tell rows, tokens, USD and minutes; make no call, write nothing.",
        rich_help_panel=TRIAL,
    ),
]
MaxWorkersOption = Annotated[
    str | None,
    typer.Option(
        metavar="N|auto",
        help="Calls in flight at once; auto finds the number. Without it: auto, or what suits a "
        "local model.",
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
TpmOption = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="N", help="Tokens allowed in any 60 seconds.", rich_help_panel=PACE
    ),
]
InputTpmOption = Annotated[
    float | None,
    typer.Option(
        "--input-tpm", min=0, metavar="N", help="The same, of input.", rich_help_panel=PACE
    ),
]
OutputTpmOption = Annotated[
    float | None,
    typer.Option(
        "--output-tpm", min=0, metavar="N", help="The same, of output.", rich_help_panel=PACE
    ),
]
RowDeadlineOption = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long one row may take, with all its attempts and waits.",
        rich_help_panel=PACE,
    ),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        metavar="DURATION",
        help="How long the run may take: 90, 30s, 10m or 6h.",
        rich_help_panel=PACE,
    ),
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
        help="Check everything, row by row; make no call, write nothing.",
        rich_help_panel=TRIAL,
    ),
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only errors, and how many answers were cut.")
]
