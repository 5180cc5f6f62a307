"""What is checked before rows are sent, and the state that they are then sent from."""

from __future__ import annotations

from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING, Any

from ...base import Job
from ...batch.money.estimate import BatchEstimate
from ...batch.money.estimate import estimate as estimate_jobs
from ...batch.results.row_results import row_read
from ...batch.state.events import Asked
from ...batch.state.journal import open_journal
from ...batch.state.state import StateManager
from ...batch.state.state_file import fold, state_path
from ...exceptions import ConfigurationError, LaneError
from ...providers.job_checks import abilities_for, check_job
from ...rows.formats import FORMATS
from ...rows.sink import check_output
from ..door import format_or, rows_of
from ..sameness import check_apart
from .clients import clients_for, deadline_for
from .hints import command_on
from .output import digest_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from ...batch.state.events import Event, RowRead
    from ...batch.state.journal import Journal
    from ...providers import BatchClient
    from ...rows.plan import Entry
    from ...rows.source import RowSource
    from ...rows.survey import Survey
    from .options import BatchOptions

_GROUP = 1000


def estimate(options: BatchOptions) -> tuple[int, BatchEstimate]:
    """Return how many rows there are, and what they would cost; nothing is sent or written.

    Raises:
        BatchLLMError: what is wrong with the rows or the model.
    """
    clients = clients_for(options.model, sends=False)
    with ExitStack() as resources:
        rows = _Rows(options, clients, *rows_of(options.files, options.plan, resources))
        jobs = list(rows.jobs())
    unusable = rows.total - len(jobs)
    return rows.total, estimate_jobs(jobs, clients, options.items_per_batch, unusable)


def begin(options: BatchOptions) -> Path:
    """Check all that can be checked, and write the state of a new run; return where it is.

    Nothing is sent. Where the writing is cut off, the state says so, and the next run begins anew.

    Raises:
        BatchLLMError: for the first thing that is wrong.
    """
    files, place = options.files, options.state
    assert place is not None, "only an estimate has none"
    clients = clients_for(options.model)
    check_apart("--state", place, files.input, files.output)
    if files.output is not None and files.output.exists():
        _check_room(place)  # it may be what the run of that state has left
    check_output(files.output, files.input, overwrite=files.overwrite)
    row_format = format_or(files.output, files.output_format, standard="jsonl")
    row_format.check_installed()
    with ExitStack() as resources:
        rows = _Rows(options, clients, *rows_of(files, options.plan, resources))
        jobs = sum(1 for _ in rows.jobs())
        _check_live(options, rows)
        if options.max_cost_usd is not None:
            _check_cap(options, rows, clients)
        _make_room(place)
        asked = _asked(options, rows, jobs, next(n for n, f in FORMATS.items() if f is row_format))
        with open_journal(place) as journal:
            journal.write(asked)
            _write(journal, rows.read())
            journal.add_jobs(_Specs(rows), lambda spec: Job.from_dict(spec).digest())
    return place


class _Rows:
    """The rows of an input and the jobs that they make, made anew each time they are read."""

    def __init__(
        self,
        options: BatchOptions,
        clients: Mapping[str, BatchClient],
        source: RowSource,
        found: Survey,
    ) -> None:
        self._able = abilities_for(options.model.name, clients)
        self._plan = options.plan
        self._source = source
        self._found = found
        self._settings = _settings(options)
        self.total = found.total

    @property
    def kept(self) -> tuple[str, ...]:
        """The fields that each result repeats."""
        return self._found.fields if self._plan.keep is None else tuple(self._plan.keep)

    def read(self) -> Iterator[RowRead]:
        """Yield what a state keeps of each row, besides its job."""
        return (row_read(entry, self._found.id_of(entry)) for entry in self._entries())

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs.

        Raises:
            JobError: for one that cannot be sent, or asks what its model cannot do.
        """
        for entry in self._entries():
            if entry.prompt is not None:
                job = Job(self._found.id_of(entry), prompt=entry.prompt, **self._settings)
                if self._able is not None:
                    check_job(job, self._able)
                yield job

    def _entries(self) -> Iterator[Entry]:
        # The source may have grown since the survey.
        return islice(self._plan.entries(self._source), self.total)


class _Specs:
    """Jobs as a state keeps them, made anew each time they are read."""

    def __init__(self, rows: _Rows) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (job.to_dict() for job in self._rows.jobs())


def _settings(options: BatchOptions) -> dict[str, Any]:
    """Return what all jobs have in common."""
    request = options.request
    return {
        "model": options.model.name,
        "response_model": request.get("output_schema"),
        "max_tokens": request.get("max_output_tokens"),
        **{name: request.get(name) for name in ("system", "temperature", "top_p", "stop", "seed")},
    }


def _check_live(options: BatchOptions, rows: _Rows) -> None:
    """Refuse a deadline that rows could not be called live at: they are all of one kind."""
    deadline, first = deadline_for(options.model, options.deadline_seconds), next(rows.jobs(), None)
    if deadline is None or first is None:
        return
    try:
        deadline.lane.strategies.check([first], has_limit=options.max_cost_usd is not None)
    except LaneError as error:
        reason = next(iter(error.refused.values()))
        raise ConfigurationError(f"--deadline: rows cannot be called live: {reason}") from error


def _check_cap(options: BatchOptions, rows: _Rows, clients: Mapping[str, BatchClient]) -> None:
    """Make sure that a limit in USD can be kept: that there is a most that a job can cost."""
    first = list(islice(rows.jobs(), 1))
    if estimate_jobs(first, clients).most_usd is None:
        raise ConfigurationError(
            f"--max-cost cannot be kept with {options.model.name}: its price is not known, or "
            f"nothing bounds its answers. Add --max-tokens N, name another model, or run without "
            f"a limit."
        )


def _make_room(place: Path) -> None:
    """Remove a state that was cut off before anything was sent."""
    if _check_room(place):
        StateManager(state_path(place)).clear()


def _check_room(place: Path) -> bool:
    """Refuse a state that holds a run; return whether one was cut off before anything was sent."""
    path = state_path(place)
    if not path.exists() or path.stat().st_size == 0:
        return False
    state = fold(path).state
    if state.chunks or state.asked is None or len(state) >= state.asked.jobs:
        raise ConfigurationError(
            f"The state {str(place)!r} holds a run already. To go on with it: "
            f"{command_on(place, 'resume')}. To begin anew, name another file with --state."
        )
    return True


def _asked(options: BatchOptions, rows: _Rows, jobs: int, output_format: str) -> Asked:
    files, output = options.files, options.files.output
    return Asked(
        input="standard input" if files.input is None else str(files.input),
        rows=rows.total,
        jobs=jobs,
        model=options.model.name,
        output=None if output is None else str(output.absolute()),
        output_format=output_format,
        in_input_order=files.in_input_order,
        kept=list(rows.kept),
        # What --force allowed to be replaced.
        written=[digest_of(output)] if output is not None and output.is_file() else [],
        schema=options.schema,
        base_url=options.model.base_url,
        api_key_env=options.model.api_key_env,
        max_cost_usd=options.max_cost_usd,
        max_concurrent=options.max_concurrent,
        items_per_batch=options.items_per_batch,
        poll_interval_seconds=options.poll_interval_seconds,
        deadline_seconds=options.deadline_seconds,
    )


def _write(journal: Journal, events: Iterable[Event]) -> None:
    left = iter(events)
    while group := list(islice(left, _GROUP)):
        journal.write(*group)
