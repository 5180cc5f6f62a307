"""`batch-llm batch`: its commands and their options."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer

from .. import flags as run_flags
from .. import report_flags
from ..refusals import told
from . import flags
from .default_command import DEFAULT, InputOrCommand

if TYPE_CHECKING:
    from typing import Unpack

    from ...batch.state.events import Outcome
    from .options import BatchFlags, ChangeFlags

HELP = (
    "Send rows through a provider's Batch API: at half the price, answered within a day.\n\n"
    "batch-llm batch INPUT -o OUTPUT --model MODEL --prompt TEMPLATE sends a prompt for every row "
    "of a file, waits, and writes one result for each; batch-llm batch run --help lists its "
    "options. All that was done is kept in OUTPUT.state, which the other commands take: whatever "
    "ends the program, resume goes on, and nothing is sent twice.\n\n"
    "The first Ctrl-C lets nothing more be sent and waits for what is under way, the second leaves "
    "at once; remote batches go on at the provider either way."
)

RUN_HELP = (
    "Send a prompt for every row of a file through a Batch API, and write one result for each.\n\n"
    "The word run may be left out. Rows that fail are written with the reason. The first Ctrl-C "
    "lets nothing more be sent and waits for what is under way, the second leaves at once; "
    "batch-llm batch resume STATE goes on from there.\n\n"
    "Exit status: 0 if all rows succeeded, 1 if some did not, 2 if something was wrong before "
    "anything was sent, 130 after Ctrl-C."
)

app = typer.Typer(
    name="batch",
    cls=InputOrCommand,
    help=HELP,
    no_args_is_help=True,
    options_metavar="",
    subcommand_metavar="INPUT … | COMMAND STATE …",
)

QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]


@app.command(DEFAULT, help=RUN_HELP)
def run_command(
    *,
    source: run_flags.InputArgument,
    output: run_flags.OutputOption = None,
    model: flags.ModelOption,
    prompt: run_flags.PromptOption,
    quiet: run_flags.QuietOption = False,
    system: run_flags.SystemOption = None,
    schema: run_flags.SchemaOption = None,
    max_tokens: run_flags.MaxTokensOption = None,
    temperature: run_flags.TemperatureOption = None,
    top_p: run_flags.TopPOption = None,
    seed: run_flags.SeedOption = None,
    stop: run_flags.StopOption = None,
    api_key_env: run_flags.ApiKeyEnvOption = None,
    input_format: run_flags.InputFormatOption = None,
    id_field: run_flags.IdFieldOption = None,
    limit: run_flags.LimitOption = None,
    output_format: run_flags.OutputFormatOption = None,
    order: flags.OrderOption = "completion",
    keep: run_flags.KeepOption = None,
    keep_all: run_flags.KeepAllOption = False,
    force: run_flags.ForceOption = False,
    state: flags.StateOption = None,
    max_cost: flags.MaxCostOption = None,
    max_concurrent: flags.MaxConcurrentOption = None,
    items_per_batch: flags.ItemsPerBatchOption = None,
    deadline: flags.DeadlineOption = None,
    poll_interval: flags.PollIntervalOption = None,
    estimate: flags.EstimateOption = False,
) -> None:
    """Send a prompt for every row of a file through a Batch API; see `RUN_HELP`."""
    # One value from here on, by the names above.
    given = cast("BatchFlags", locals())
    with told() as console:
        # Imported here, so that --help need not wait for the library.
        from .options import Changes, read_batch_options

        options = read_batch_options(given)
        if options.state is None:
            from .estimate import estimate as print_estimate

            raise typer.Exit(print_estimate(options, console))
        from .door import begin
        from .run import carry_on

        raise typer.Exit(carry_on(begin(options), Changes(), console, quiet=quiet))


@app.command("status")
def status_command(*, state: flags.StateArgument, as_json: report_flags.JsonOption = False) -> None:
    """Tell how rows and remote batches stand, also while a run goes on."""
    with told():
        from .status import status

        raise typer.Exit(status(Path(state), as_json_text=as_json))


@app.command("resume")
def resume_command(
    *,
    state: flags.StateArgument,
    output: flags.NewOutputOption = None,
    force: flags.ForceOption = False,
    quiet: QuietOption = False,
    max_cost: flags.NewMaxCostOption = None,
    no_max_cost: flags.NoMaxCostOption = False,
    max_concurrent: flags.MaxConcurrentOption = None,
    deadline: flags.NewDeadlineOption = None,
    poll_interval: flags.PollIntervalOption = None,
) -> None:
    """Go on with a run: collect what has been done, send what is left."""
    _go_on(
        state,
        quiet=quiet,
        output=output,
        force=force,
        max_cost=max_cost,
        no_max_cost=no_max_cost,
        max_concurrent=max_concurrent,
        poll_interval=poll_interval,
        deadline=deadline,
    )


@app.command("cancel")
def cancel_command(
    *,
    state: flags.StateArgument,
    force: flags.ForceOption = False,
    quiet: QuietOption = False,
    poll_interval: flags.PollIntervalOption = None,
) -> None:
    """Have the provider stop all remote batches of a run, and keep what was done by then."""
    _go_on(state, cancels=True, quiet=quiet, force=force, poll_interval=poll_interval)


@app.command("retry-failed")
def retry_failed_command(
    *,
    state: flags.StateArgument,
    force: flags.ForceOption = False,
    quiet: QuietOption = False,
    max_cost: flags.NewMaxCostOption = None,
    no_max_cost: flags.NoMaxCostOption = False,
    poll_interval: flags.PollIntervalOption = None,
) -> None:
    """Send the rows that failed once more, and go on with the run."""
    _go_on(
        state,
        again="failed",
        quiet=quiet,
        force=force,
        max_cost=max_cost,
        no_max_cost=no_max_cost,
        poll_interval=poll_interval,
    )


@app.command("resubmit-expired")
def resubmit_expired_command(
    *,
    state: flags.StateArgument,
    force: flags.ForceOption = False,
    quiet: QuietOption = False,
    max_cost: flags.NewMaxCostOption = None,
    no_max_cost: flags.NoMaxCostOption = False,
    poll_interval: flags.PollIntervalOption = None,
) -> None:
    """Send the rows that the provider did not come to once more, and go on with the run."""
    _go_on(
        state,
        again="expired",
        quiet=quiet,
        force=force,
        max_cost=max_cost,
        no_max_cost=no_max_cost,
        poll_interval=poll_interval,
    )


@app.command("resubmit-cancelled")
def resubmit_cancelled_command(
    *,
    state: flags.StateArgument,
    force: flags.ForceOption = False,
    quiet: QuietOption = False,
    max_cost: flags.NewMaxCostOption = None,
    no_max_cost: flags.NoMaxCostOption = False,
    poll_interval: flags.PollIntervalOption = None,
) -> None:
    """Send the rows that were cancelled once more, and go on with the run."""
    _go_on(
        state,
        again="cancelled",
        quiet=quiet,
        force=force,
        max_cost=max_cost,
        no_max_cost=no_max_cost,
        poll_interval=poll_interval,
    )


@app.command("results")
def results_command(
    *,
    state: flags.StateArgument,
    output: report_flags.OutputOption = "-",
    output_format: report_flags.FormatOption = None,
    force: report_flags.ForceOption = False,
) -> None:
    """Write the rows of a state that have ended, also while a run goes on."""
    with told():
        from ..option_values import read_path
        from .results import results

        raise typer.Exit(
            results(Path(state), read_path(output), output_format=output_format, overwrite=force)
        )


def _go_on(
    state: str,
    *,
    again: Outcome | None = None,
    cancels: bool = False,
    quiet: bool,
    **changes: Unpack[ChangeFlags],
) -> NoReturn:
    """Go on with the run of a state, and leave with its exit status; see `Task`."""
    with told() as console:
        from .options import read_changes
        from .run import Task, carry_on

        new, task = read_changes(**changes), Task(again, cancels)
        raise typer.Exit(carry_on(Path(state), new, console, quiet=quiet, task=task))
