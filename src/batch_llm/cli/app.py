"""The commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from . import flags, ledger_flags, report_flags, simulate_flags
from .batch.app import app as batch_app
from .exit_status import ExitStatus
from .refusals import told

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .run_options import RunFlags

RUN_HELP = (
    "Send a prompt for every row of a file, and write one result for each.\n\n"
    "Rows that fail are written with the reason. The first Ctrl-C lets calls in flight finish, the "
    "second stops at once; rows that were not reached are written as cancelled. With --ledger and "
    "--resume the same command goes on where a run was stopped, killed or failed.\n\n"
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
    output: flags.OutputOption = None,
    model: flags.ModelOption,
    prompt: flags.PromptOption,
    quiet: flags.QuietOption = False,
    system: flags.SystemOption = None,
    schema: flags.SchemaOption = None,
    max_tokens: flags.MaxTokensOption = None,
    temperature: flags.TemperatureOption = None,
    top_p: flags.TopPOption = None,
    seed: flags.SeedOption = None,
    stop: flags.StopOption = None,
    then: flags.ThenOption = None,
    api_key_env: flags.ApiKeyEnvOption = None,
    input_format: flags.InputFormatOption = None,
    id_field: flags.IdFieldOption = None,
    limit: flags.LimitOption = None,
    output_format: flags.OutputFormatOption = None,
    order: flags.OrderOption = "completion",
    keep: flags.KeepOption = None,
    keep_all: flags.KeepAllOption = False,
    force: flags.ForceOption = False,
    ledger: flags.LedgerOption = None,
    resume: flags.ResumeOption = False,
    keep_prompts: flags.KeepPromptsOption = True,
    durability: flags.DurabilityOption = "process",
    cache: flags.CacheOption = False,
    max_cost: flags.MaxCostOption = None,
    priced_as: flags.PricedAsOption = None,
    share: flags.ShareOption = None,
    max_workers: flags.MaxWorkersOption = None,
    max_attempts: flags.MaxAttemptsOption = 3,
    timeout: flags.TimeoutOption = 120.0,
    row_deadline: flags.RowDeadlineOption = None,
    deadline: flags.DeadlineOption = None,
    rpm: flags.RpmOption = None,
    tpm: flags.TpmOption = None,
    input_tpm: flags.InputTpmOption = None,
    output_tpm: flags.OutputTpmOption = None,
    cooldown: flags.CooldownOption = 60.0,
    estimate: flags.EstimateOption = False,
    dry_run: flags.DryRunOption = False,
) -> None:
    """Send a prompt for every row of a file, and write one result for each; see `RUN_HELP`."""
    # One value from here on, by the names above.
    given = cast("RunFlags", locals())
    with told() as console:
        # Imported here, so that --help and --version need not wait for the library.
        from .run_options import read_run_options

        options = read_run_options(given)
        if given["estimate"]:
            from .estimate import estimate as print_estimate

            raise typer.Exit(print_estimate(options, console))
        from .run import run

        raise typer.Exit(run(options, console, quiet=quiet))


app.add_typer(batch_app)


@app.command("status")
def status_command(
    *, ledger: ledger_flags.LedgerArgument, as_json: report_flags.JsonOption = False
) -> None:
    """Tell what a ledger knows of its runs, also while one goes on."""
    with told():
        from .status import status

        raise typer.Exit(status(Path(ledger), as_json_text=as_json))


@app.command("results")
def results_command(
    *,
    ledger: ledger_flags.LedgerArgument,
    failed: ledger_flags.FailedOption = False,
    succeeded: ledger_flags.SucceededOption = False,
    every_end: ledger_flags.AllOption = False,
    output: report_flags.OutputOption = "-",
    output_format: report_flags.FormatOption = None,
    force: report_flags.ForceOption = False,
) -> None:
    """Write the rows that a ledger keeps, in the order in which they ended."""
    with told():
        from .option_values import read_path
        from .results import results

        status = results(
            Path(ledger),
            read_path(output),
            output_format=output_format,
            outcome=None if failed == succeeded else "failed" if failed else "succeeded",
            overwrite=force,
            every_end=every_end,
        )
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
