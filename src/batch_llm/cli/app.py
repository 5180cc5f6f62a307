"""The commands and their options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from . import flags, simulate_flags
from .exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN_HELP = (
    "Send a prompt for every row of a file, and write one result for each.\n\n"
    "Rows that fail are written with the reason. The first Ctrl-C lets calls in flight finish, the "
    "second stops at once; rows that were not reached are written as cancelled.\n\n"
    "Exit status: 0 if all rows succeeded, 1 if some did not, 2 if something was wrong before any "
    "call, 130 after Ctrl-C."
)

SIMULATE_HELP = (
    "Be OpenAI, Anthropic and Gemini, on this machine.\n\n"
    "Prints the environment variables that lead the official SDKs here, and runs until Ctrl-C. "
    "No call leaves the machine, and none costs anything."
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
    source: flags.InputArgument,
    output: flags.OutputOption,
    model: flags.ModelOption,
    prompt: flags.PromptOption,
    system: flags.SystemOption = None,
    schema: flags.SchemaOption = None,
    max_tokens: flags.MaxTokensOption = None,
    temperature: flags.TemperatureOption = None,
    top_p: flags.TopPOption = None,
    seed: flags.SeedOption = None,
    stop: flags.StopOption = None,
    api_key_env: flags.ApiKeyEnvOption = None,
    input_format: flags.InputFormatOption = None,
    id_field: flags.IdFieldOption = None,
    limit: flags.LimitOption = None,
    output_format: flags.OutputFormatOption = None,
    order: flags.OrderOption = "completion",
    keep: flags.KeepOption = None,
    keep_all: flags.KeepAllOption = False,
    force: flags.ForceOption = False,
    max_workers: flags.MaxWorkersOption = None,
    max_attempts: flags.MaxAttemptsOption = 3,
    timeout: flags.TimeoutOption = 120.0,
    rpm: flags.RpmOption = None,
    cooldown: flags.CooldownOption = 60.0,
    dry_run: flags.DryRunOption = False,
    quiet: flags.QuietOption = False,
) -> None:
    """Send a prompt for every row of a file, and write one result for each; see `RUN_HELP`."""
    # Imported here, so that --help and --version need not wait for the library.
    from ..exceptions import BatchLLMError
    from ..rows.identity import IdRule
    from ..rows.plan import RowPlan
    from ..rows.sink import OutputError
    from ..rows.template import PromptTemplate
    from .option_values import (
        read_above,
        read_key,
        read_names,
        read_path,
        read_schema,
        read_text,
        read_workers,
    )
    from .run import FileOptions, ModelOptions, PaceOptions, RunOptions, run
    from .stderr import ErrorConsole
    from .wording import in_words_of_the_command

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
                    "top_p": None if top_p is None else read_above("--top-p", top_p),
                    "max_output_tokens": max_tokens,
                    "stop": tuple(stop or ()),
                    "seed": seed,
                },
            ),
            pace=PaceOptions(
                max_workers=None if max_workers is None else read_workers(max_workers),
                max_attempts=max_attempts,
                timeout_seconds=read_above("--timeout", timeout),
                requests_per_minute=None if rpm is None else read_above("--rpm", rpm),
                cooldown_seconds=cooldown,
                dry_run=dry_run,
            ),
        )
        status = run(options, console, quiet=quiet)
    except BatchLLMError as error:
        console.say(f"Error: {in_words_of_the_command(str(error))}", style="red")
        status = ExitStatus.FAILED if isinstance(error, OutputError) else ExitStatus.REFUSED
    except KeyboardInterrupt:
        console.say("Interrupted before any call.", style="yellow")
        status = ExitStatus.INTERRUPTED
    raise typer.Exit(status)


@app.command("simulate", help=SIMULATE_HELP)
def simulate_command(
    *,
    port: simulate_flags.PortOption = 8_080,
    host: simulate_flags.HostOption = "127.0.0.1",
    config: simulate_flags.ConfigOption = None,
    answers: simulate_flags.AnswersOption = None,
    seed: simulate_flags.SeedOption = None,
    key: simulate_flags.KeyOption = None,
    books: simulate_flags.BooksOption = None,
    rpm: simulate_flags.RpmOption = None,
    tpm: simulate_flags.TpmOption = None,
    fault: simulate_flags.FaultOption = None,
    faults: simulate_flags.FaultsOption = None,
    latency: simulate_flags.LatencyOption = None,
    latency_kind: simulate_flags.LatencyKindOption = None,
    speed: simulate_flags.SpeedOption = None,
) -> None:
    """Be OpenAI, Anthropic and Gemini, on this machine; see `SIMULATE_HELP`."""
    from ..exceptions import BatchLLMError
    from .simulate import SimulateOptions, simulate
    from .stderr import ErrorConsole

    console = ErrorConsole()
    try:
        options = SimulateOptions(
            host=host,
            port=port,
            config=config,
            answers=answers,
            seed=seed,
            keys=tuple(key or ()),
            requests_per_minute=rpm,
            tokens_per_minute=tpm,
            faults=tuple(fault or ()),
            fault_rate=faults,
            latency_seconds=latency,
            latency_kind=latency_kind,
            speed=speed,
            books=books,
        )
        status = simulate(options, console)
    except BatchLLMError as error:
        console.say(f"Error: {error}", style="red")
        status = ExitStatus.REFUSED
    raise typer.Exit(status)
