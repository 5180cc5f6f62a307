"""The commands and their options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from .exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

RowFormatName = Literal["jsonl", "csv", "tsv"]

ROWS = "Rows"
REQUEST = "What each request asks"
PACE = "How fast"
OUTPUT = "Results"

RUN_HELP = (
    "Send a prompt for every row of a file, and write one result for each.\n\n"
    "Rows that fail are written with the reason. The first Ctrl-C lets calls in flight finish, the "
    "second stops at once; rows that were not reached are written as cancelled.\n\n"
    "Exit status: 0 if all rows succeeded, 1 if some did not, 2 if something was wrong before any "
    "call, 130 after Ctrl-C."
)

app = typer.Typer(
    name="batch-llm",
    help="Send many requests to language models: paced, retried, counted, and never lost.",
    no_args_is_help=True,
    add_completion=False,
    # A failure that is not the user's shows Python's own traceback, without local variables:
    # those hold prompts and keys.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run_app(arguments: Sequence[str] | None) -> int:
    """Run the command that `arguments` ask for (None: those of the process).

    Returns:
        The exit status.
    """
    try:
        app(args=None if arguments is None else list(arguments), prog_name="batch-llm")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return ExitStatus.SUCCEEDED


def _print_version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        typer.echo(f"batch-llm {__version__}")
        raise typer.Exit


@app.callback()
def options_of_all_commands(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Say what all commands have in common; with this, one command keeps its name too."""


@app.command("run", help=RUN_HELP)
def run_command(
    *,
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="Rows to work on: a .jsonl, .ndjson, .csv or .tsv file, or - for standard input.",
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUTPUT",
            help="Where results go, in the format of its suffix; - for standard output.",
        ),
    ],
    model: Annotated[
        str,
        typer.Option(
            "--model",
            "-m",
            metavar="MODEL",
            help="local, local:PATH.gguf, openai:NAME, gemini:NAME, anthropic:NAME, or "
            "http://HOST/v1#NAME for a server that speaks OpenAI's Chat Completions.",
        ),
    ],
    prompt: Annotated[
        str,
        typer.Option(
            "--prompt",
            "-p",
            metavar="TEMPLATE",
            help="The prompt; {field} and {author.name} stand for the row's values, {{ and }} for "
            "braces. @FILE reads it from a file.",
        ),
    ],
    system: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The system prompt, or @FILE.", rich_help_panel=REQUEST),
    ] = None,
    schema: Annotated[
        str | None,
        typer.Option(
            metavar="FILE.json|MODULE:MODEL",
            help="A JSON schema, or a pydantic model, that every answer must fit.",
            rich_help_panel=REQUEST,
        ),
    ] = None,
    max_tokens: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="The most tokens of an answer.", rich_help_panel=REQUEST
        ),
    ] = None,
    temperature: Annotated[
        float | None,
        typer.Option(min=0, metavar="T", help="0 and up.", rich_help_panel=REQUEST),
    ] = None,
    top_p: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, metavar="P", help="Above 0, at most 1.", rich_help_panel=REQUEST
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(metavar="N", help="Ask for repeatable answers.", rich_help_panel=REQUEST),
    ] = None,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEXT",
            help="A text at which an answer ends; may be given more than once.",
            rich_help_panel=REQUEST,
        ),
    ] = None,
    api_key_env: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The environment variable that holds the key, where it is not the usual one.",
            rich_help_panel=REQUEST,
        ),
    ] = None,
    input_format: Annotated[
        RowFormatName | None,
        typer.Option("--format", help="The format of INPUT.", rich_help_panel=ROWS),
    ] = None,
    id_field: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="The field that holds a row's id. Without it: id, else custom_id, else the line.",
            rich_help_panel=ROWS,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Take only the first N rows.", rich_help_panel=ROWS),
    ] = None,
    output_format: Annotated[
        RowFormatName | None,
        typer.Option(
            help="The format of OUTPUT; jsonl on standard output.", rich_help_panel=OUTPUT
        ),
    ] = None,
    order: Annotated[
        Literal["completion", "input"],
        typer.Option(
            help="Write results as they come, or in the order of INPUT: then a result waits in "
            "memory for all before it.",
            rich_help_panel=OUTPUT,
        ),
    ] = "completion",
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD,…",
            help="Fields of the row to repeat in its result, under input.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    keep_all: Annotated[
        bool,
        typer.Option("--keep-all", help="Repeat all of them.", rich_help_panel=OUTPUT),
    ] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Overwrite OUTPUT.", rich_help_panel=OUTPUT),
    ] = False,
    max_workers: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            help="Calls in flight at once. Without it: 5, or what suits a local model.",
            rich_help_panel=PACE,
        ),
    ] = None,
    max_attempts: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="N",
            help="Attempts a row may have; rate limits do not count.",
            rich_help_panel=PACE,
        ),
    ] = 3,
    timeout: Annotated[
        float,
        typer.Option(
            min=0, metavar="SECONDS", help="How long one attempt may take.", rich_help_panel=PACE
        ),
    ] = 120.0,
    rpm: Annotated[
        float | None,
        typer.Option(
            min=0, metavar="N", help="Calls allowed in any 60 seconds.", rich_help_panel=PACE
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Check everything and make no call.", rich_help_panel=PACE),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")] = False,
) -> None:
    """Send a prompt for every row of a file, and write one result for each; see `RUN_HELP`."""
    # Imported here, so that --help and --version need not wait for the library.
    from ..exceptions import BatchLLMError
    from ..rows.identity import IdRule
    from ..rows.plan import RowPlan
    from ..rows.sink import OutputError
    from ..rows.template import PromptTemplate
    from .option_values import (
        read_key,
        read_names,
        read_path,
        read_schema,
        read_text,
        read_workers,
    )
    from .run import FileOptions, ModelOptions, PaceOptions, RunOptions, run
    from .stderr import ErrorConsole

    console = ErrorConsole()
    try:
        options = RunOptions(
            files=FileOptions(
                input=read_path(source),
                output=read_path(output),
                input_format=input_format,
                output_format=output_format,
                overwrite=force,
                in_input_order=order == "input",
            ),
            plan=RowPlan(
                template=PromptTemplate(read_text("--prompt", prompt)),
                ids=IdRule(id_field),
                keep=None if keep_all else read_names(keep or ()),
                limit=limit,
            ),
            model=ModelOptions(
                spec=model,
                api_key=read_key(api_key_env),
                request={
                    "system": None if system is None else read_text("--system", system),
                    "output_schema": None if schema is None else read_schema(schema),
                    "temperature": temperature,
                    "top_p": top_p,
                    "max_output_tokens": max_tokens,
                    "stop": tuple(stop or ()),
                    "seed": seed,
                },
            ),
            pace=PaceOptions(
                max_workers=None if max_workers is None else read_workers(max_workers),
                max_attempts=max_attempts,
                timeout_seconds=timeout,
                requests_per_minute=rpm,
                dry_run=dry_run,
            ),
        )
        status = run(options, console, quiet=quiet)
    except BatchLLMError as error:
        console.say(f"Error: {error}", style="red")
        status = ExitStatus.FAILED if isinstance(error, OutputError) else ExitStatus.REFUSED
    except KeyboardInterrupt:
        console.say("Interrupted before any call.", style="yellow")
        status = ExitStatus.INTERRUPTED
    raise typer.Exit(status)
