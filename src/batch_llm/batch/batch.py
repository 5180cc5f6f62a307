"""The builder of a batch."""

from __future__ import annotations

import dataclasses
import difflib
import logging
import os
from collections.abc import Iterable, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, TypedDict, overload

from ..base import Job, JobResult, Message
from ..base.chat_messages import SYSTEM_ROLES
from ..core.duration import duration_seconds
from ..exceptions import ConfigurationError, JobError
from ..lanes import LiveItems, LiveLane, LiveStrategies, jobs_of
from ..providers.job_checks import abilities_for, check_job, usual_settings
from ..rows.formats import format_of
from ..rows.frames import columns_of, table_rows
from ..rows.identity import IdRule
from ..rows.plan import RowPlan
from ..rows.result_row import INPUT_ERROR
from ..rows.source import open_source
from ..rows.template import PromptTemplate
from ..rows.work import check_columns
from .callbacks import check_callback
from .clients import own_route, route_of_given
from .deadline import Deadline
from .estimate import BatchEstimate, estimate
from .job_ids import JobIds
from .params import BatchParams
from .provider_registry import ProviderRegistry
from .run import BatchRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self, Unpack

    from ..base import LLMWorkItem, ResponseModel
    from ..core import ProcessorConfig
    from ..core.duration import Duration
    from ..lanes import GivenStrategies
    from ..providers import BatchClient
    from ..providers.abilities import Abilities
    from ..providers.registry import Route
    from ..rows.frames import Rows
    from ..rows.plan import Entry
    from ..rows.row import BrokenRow, Row
    from .provider import Provider
    from .run_status import RunStatus

    Turns: TypeAlias = Iterable[Message | Mapping[str, Any]]

logger = logging.getLogger("batch_llm")


class JobSettings(TypedDict, total=False):
    """How jobs are answered; their meaning stands in `Job`."""

    model: str | None
    temperature: float | None
    max_tokens: int | None
    response_model: ResponseModel | None
    enable_citations: bool
    system: str | None
    top_p: float | None
    stop: str | Iterable[str]
    seed: int | None


_POLL_SECONDS: Final = 30.0
_SETTINGS: Final = tuple(JobSettings.__annotations__)
_SAMPLINGS: Final = ("temperature", "top_p")


class Batch:
    """Jobs for the Batch API of a provider, and how they are run.

        batch = (
            Batch(state_file="reviews.json", results_dir="out")
            .defaults(model="claude-sonnet-4-5", max_tokens=500)
            .add_cost_limit(usd=15)
            .add_job("invoice", file="invoice.pdf", prompt="Extract the total.")
        )

    Nothing is sent while jobs are added; a job that cannot be sent is refused there and then.

    Args:
        state_file: where the run is kept, so that it can go on after a crash. A script that adds
            the same jobs again goes on with it. Without one, the state is in a temporary folder,
            which stays, with a warning that names it, only where batches are left to collect: the
            same script submits its jobs anew.
        results_dir: the folder that results are written to.
        max_concurrent: remote batches at a time, 1 and up.
        items_per_batch: jobs in one remote batch at most; None leaves the provider's limit.
        reuse_state: whether to go on with what `state_file` holds.
        poll_interval_seconds: between two looks at a remote batch, at first, by default 30; see
            `BatchParams`.
        orphan_grace_seconds: how long a batch is looked for that may have been created, and results
            are fetched again that are missing or cannot be read.
        keep_remote_files: whether files at the provider stay once their results are here.
        max_enqueued_tokens: input tokens that a model may have enqueued at its provider, as the
            limits of your account say: one number for each model, or {"gpt-4o": 90_000}. Chunks are
            cut to it, and wait for one another; `status().waiting` says so.
        clients: by the names of providers, clients that are not to be opened by default: with an
            address of their own, say. Under another name, such as "mine", they answer models that
            are called "mine:NAME". All other models are answered by whoever
            `ProviderRegistry.get_provider` finds when the run begins.

    Raises:
        ConfigurationError: for a value that cannot work.
    """

    def __init__(
        self,
        state_file: str | os.PathLike[str] | None = None,
        results_dir: str | os.PathLike[str] | None = None,
        max_concurrent: int = 10,
        items_per_batch: int | None = None,
        *,
        reuse_state: bool = True,
        poll_interval_seconds: float | None = None,
        orphan_grace_seconds: float = 60.0,
        keep_remote_files: bool = False,
        max_enqueued_tokens: int | Mapping[str, int] | None = None,
        clients: Mapping[str, BatchClient] | None = None,
    ) -> None:
        self._params = BatchParams(
            state_file,
            results_dir,
            max_concurrent,
            items_per_batch,
            reuse_state=reuse_state,
            poll_interval_seconds=(
                _POLL_SECONDS if poll_interval_seconds is None else poll_interval_seconds
            ),
            orphan_grace_seconds=orphan_grace_seconds,
            keep_remote_files=keep_remote_files,
            max_enqueued_tokens=max_enqueued_tokens,
        )
        self._clients = dict(clients or {})
        self._defaults: dict[str, Any] = {}
        self._jobs: list[Job] = []
        self._refused: list[JobResult] = []
        self._ids = JobIds()
        self._live_strategies: GivenStrategies | None = None
        self._live_config: ProcessorConfig | None = None
        self._warned: set[tuple[str, str]] = set()
        self._progress_callback: Callable[[Any], object] | None = None

    @property
    def params(self) -> BatchParams:
        """How it is run."""
        return dataclasses.replace(self._params, default_params=dict(self._defaults))

    @property
    def config(self) -> BatchParams:
        """The same as `params`."""
        return self.params

    @property
    def jobs(self) -> list[Job]:
        """The jobs, in the order in which they were added."""
        return list(self._jobs)

    @property
    def refused(self) -> list[JobResult]:
        """Rows of `add_jobs` of which no job could be made: each is a result that has failed."""
        return list(self._refused)

    @property
    def progress_callback(self) -> Callable[[Any], object] | None:
        """What is called as the run goes on; None where nothing is."""
        return self._progress_callback

    # -- how it is run

    def defaults(self, **settings: Unpack[JobSettings]) -> Self:
        """Set what the jobs that are added from now on have, unless they say otherwise.

        A temperature and `top_p` are left out of jobs whose model takes none, with a warning: they
        are for the others.

        Args:
            **settings: see `JobSettings`. A second call adds to the first.

        Raises:
            ConfigurationError: for a setting that jobs do not have, or a value that none can have.
        """
        self._defaults.update(_checked(_known(settings)))
        return self

    def add_cost_limit(self, usd: float) -> Self:
        """Let the run cost no more than `usd`, by the prices of the provider.

        Args:
            usd: from 0 up; at 0 nothing is sent that costs anything.

        Raises:
            ConfigurationError: for what is no sum in USD.
        """
        if usd is None:
            raise ConfigurationError("add_cost_limit needs a sum in USD, such as usd=15.")
        self._params = dataclasses.replace(self._params, cost_limit_usd=usd)
        return self

    def save_raw_responses(self, enabled: bool = True) -> Self:
        """Let results keep what the provider sent, and what it was sent."""
        self._params = dataclasses.replace(self._params, save_raw_responses=bool(enabled))
        return self

    def on_progress(self, callback: Callable[[Any], object]) -> Self:
        """Call `callback` with the state of the run as it goes on.

        Raises:
            ConfigurationError: if it cannot be called, or would have to be awaited.
        """
        check_callback(callback)
        self._progress_callback = callback
        return self

    def live_lane(
        self,
        strategies: GivenStrategies | None = None,
        config: ProcessorConfig | None = None,
    ) -> Self:
        """Say how jobs are called that go through the live lane: see `to_live` and `run`.

        Args:
            strategies: by the model, as jobs name it, the strategy that calls it; or by the
                provider ("openai", or a name of yours) a function that makes one of the model's
                name. Any other model has the built-in strategy of its provider, with the key and
                the address that are in the environment; one that is answered by a client or a
                provider of yours, at another address, has none.
            config: of the processor that `run(deadline=…)` uses. By default it makes as many calls
                at once as the provider bears.

        Raises:
            ConfigurationError: for what cannot work.
        """
        LiveLane(strategies, config)
        self._live_strategies, self._live_config = strategies, config
        return self

    # -- what is in it

    def add_job(
        self,
        id: str | None = None,  # noqa: A002 - the contract's name
        *,
        file: str | os.PathLike[str] | None = None,
        messages: Turns | None = None,
        prompt: str | None = None,
        text: str | None = None,
        **settings: Unpack[JobSettings],
    ) -> Self:
        """Add one job: `messages`, `file` and `prompt`, `prompt` alone, or `text` to embed.

        Args:
            id: names the job in results. Where it is None, one is made of the job's content, which
                is the same whenever the same job is added, in whatever order. Of jobs that are
                equal, the second gets the end "-2", and so on.
            file: a text in UTF-8, a PDF or an image. It is read when the job is sent; that it is
                there is checked now.
            messages: turns as OpenAI writes them, or `Message` objects.
            prompt: what to do with the file, or the whole question.
            text: what to embed.
            **settings: see `JobSettings`. What is not given is as `defaults` has it; a None that is
                given counts, but for the model. What neither says is as in `Job`, but for models
                to which that does not apply: no temperature where it cannot be set, and 8,192
                `max_tokens` where thoughts count towards it.

        Raises:
            JobError: if it cannot be sent, its model is of no known provider or cannot do what it
                asks, or its id is taken. It names job and field.
            ConfigurationError: for a setting that jobs do not have.
        """
        turns = _listed(messages)
        own = _known(settings)
        job = Job(
            id,
            turns,
            file,
            prompt,
            text=text,
            **self._settings(own, embeds=text is not None, has_system=_has_system(turns)),
        )
        job.check_file()
        self._check(job)
        self._jobs.append(self._named(job, id))
        return self

    def add_jobs(
        self,
        rows: Rows | str | os.PathLike[str],
        prompt: str | None = None,
        *,
        text: str | None = None,
        id_field: str | None = None,
        **settings: Unpack[JobSettings],
    ) -> Self:
        """Add one job for each row of a table.

            batch.add_jobs(frame, "Summarise: {review}", id_field="review_id")

        A row that makes no prompt (a field is missing, None or NaN, or holds what no prompt can)
        does not stop the others: it ends as a failed result, which `refused` shows now.

        Args:
            rows: mappings, a data frame of pandas or polars, a table of pyarrow, a data set of
                Hugging Face, or the path of a file (.jsonl, .csv, .tsv, .parquet).
            prompt: the template of the question; `{review}` stands for a field, `{author.name}` for
                one inside of it, `{{` and `}}` for braces. Text fills a gap as it is, any other
                value as JSON.
            text: the template of a text to embed, in the place of `prompt`.
            id_field: the field that holds a row's id. Without it: "id", else "custom_id", else an
                id made as in `add_job`.
            **settings: as in `add_job`.

        Raises:
            InputError: if `rows` is no source of rows, or tells that it has no such column, as a
                list does of which no row has it.
            JobError: if two jobs have one id, or the model cannot do what they ask; none of the
                rows is added then.
            ConfigurationError: if the template, the file or a setting cannot work.
        """
        if (prompt is None) == (text is None):
            raise ConfigurationError("add_jobs takes a template: either prompt or text, and one.")
        embeds = text is not None
        plan = RowPlan(PromptTemplate(text or prompt or ""), IdRule(id_field))
        common = self._settings(_known(settings), embeds=embeds, has_system=False)
        ids = self._ids.copy()
        jobs: list[Job] = []
        refused: list[JobResult] = []
        with _opened(rows, plan) as found:
            for entry in plan.entries(found):
                if entry.prompt is None:
                    refused.append(_refusal(entry, ids))
                    continue
                job = (
                    Job(entry.own_id, text=entry.prompt, **common)
                    if embeds
                    else Job(entry.own_id, prompt=entry.prompt, **common)
                )
                self._check(job)
                jobs.append(_with_id(job, entry.own_id, ids))
        if refused:
            logger.warning(
                "%d of %d rows make no job; Batch.refused tells why.",
                len(refused),
                len(refused) + len(jobs),
            )
        self._ids = ids
        self._jobs += jobs
        self._refused += refused
        return self

    def add_work_items(self, items: Iterable[LLMWorkItem[Any, Any, Any]]) -> Self:
        """Add a job for each work item of the live lane: the same request under the same id.

        What `defaults` has does not count for them: an item says all there is.

        Raises:
            LaneError: naming each item whose strategy is more than one request to one model: an
                agent, a strategy of yours, an escalation, a pool. None is added then.
            JobError: if an id is taken, or a model cannot do what is asked; none is added then.
        """
        ids = self._ids.copy()
        jobs = [_with_id(job, job.id, ids) for job in jobs_of(items, self._clients)]
        for job in jobs:
            self._check(job)
        self._ids = ids
        self._jobs += jobs
        return self

    # -- to its end

    def to_live(self, strategies: GivenStrategies | None = None) -> LiveItems:
        """Return the jobs as work items for `ParallelBatchProcessor`, with the same requests.

        Jobs of one model share one strategy.

        Args:
            strategies: as for `live_lane`, and in its place.

        Raises:
            LaneError: naming the jobs that cannot go live: those that embed or ask for citations,
                those of a model that nothing is known to call, and those of a client or a provider
                of yours for which no strategy is given.
            ConfigurationError: if a strategy cannot be made: a `MissingKeyError`, say.
        """
        given = self._live_strategies if strategies is None else strategies
        return LiveItems(self.jobs, LiveStrategies(given, self._own_route))

    @overload
    def run(
        self,
        wait: bool = False,
        on_progress: Callable[[RunStatus], object] | None = None,
        dry_run: Literal[False] = False,
        time_limit_seconds: float | None = None,
        deadline: Duration | None = None,
    ) -> BatchRun: ...
    @overload
    def run(
        self,
        wait: bool = False,
        on_progress: Callable[[RunStatus], object] | None = None,
        *,
        dry_run: Literal[True],
        time_limit_seconds: float | None = None,
        deadline: Duration | None = None,
    ) -> BatchEstimate: ...
    def run(
        self,
        wait: bool = False,
        on_progress: Callable[[RunStatus], object] | None = None,
        dry_run: bool = False,
        time_limit_seconds: float | None = None,
        deadline: Duration | None = None,
    ) -> BatchRun | BatchEstimate:
        """Run the jobs, and those that `state_file` holds.

        On the main thread, the first SIGINT or SIGTERM lets nothing more be submitted, and a second
        one leaves: see `BatchRun.stop_on_signals`.

        Args:
            wait: whether to return only once the run has ended.
            on_progress: as for the method `on_progress`; this one counts.
            dry_run: whether to send nothing, and return what the jobs would cost.
            time_limit_seconds: after which the run ends; remote batches go on at the provider, and
                a later run with the same `state_file` collects them.
            deadline: seconds, a `timedelta`, or a text such as "6h", from the first start of these
                jobs on. What has no answer by then goes through the live lane, within the same
                limit in USD: remote batches are cancelled at the provider, and what they have done
                is kept. Jobs that failed do not go again. See `live_lane`.

        Raises:
            LaneError: naming jobs that could not go live at the deadline: see `to_live`. Under a
                limit, so are those with an image or a PDF, and those of an unknown price.
            ConfigurationError: for a state file that cannot be used, a model that no provider is
                known for, or a client or a strategy that cannot be made.
            StateMismatchError: if the state holds other jobs under the same ids.
            StateError: if another process has the state open, or it cannot be read or written.
        """
        if dry_run:
            return estimate(
                self._jobs,
                self._clients,
                self._params.items_per_batch,
                len(self._refused),
                self._params.enqueued_tokens_of,
            )
        run = self._as_run(on_progress, time_limit_seconds, deadline)
        if wait:
            run.wait()
            return run
        return run.start().stop_on_signals()

    async def arun(
        self,
        on_progress: Callable[[RunStatus], object] | None = None,
        time_limit_seconds: float | None = None,
        deadline: Duration | None = None,
    ) -> BatchRun:
        """Run the jobs on this event loop, and return once the run has ended; as `run` else."""
        return await self._as_run(on_progress, time_limit_seconds, deadline).arun()

    def _as_run(
        self,
        on_progress: Callable[[RunStatus], object] | None,
        time_limit_seconds: float | None,
        deadline: Duration | None,
    ) -> BatchRun:
        return BatchRun(
            self.jobs,
            self.params,
            refused=self._refused,
            clients=self._clients,
            on_progress=on_progress or self._progress_callback,
            time_limit_seconds=time_limit_seconds,
            deadline=None if deadline is None else self._deadline(deadline),
        )

    def _deadline(self, given: Duration) -> Deadline:
        lane = LiveLane(self._live_strategies, self._live_config, self._own_route)
        lane.strategies.check(self._jobs, has_limit=self._params.cost_limit_usd is not None)
        return Deadline(duration_seconds("deadline", given), lane)

    def __repr__(self) -> str:
        return f"Batch({len(self._jobs)} jobs, {self.params})"

    def _named(self, job: Job, own_id: str | None) -> Job:
        return _with_id(job, own_id, self._ids)

    def _settings(self, own: dict[str, Any], *, embeds: bool, has_system: bool) -> dict[str, Any]:
        """Return the settings of a job: its own, and the defaults that are of use to it."""
        defaults = dict(self._defaults)
        if embeds:
            defaults = {"model": defaults.get("model")}
        if has_system:
            defaults.pop("system", None)
        if own.get("model", "") is None:
            own = {name: value for name, value in own.items() if name != "model"}
        merged = {**defaults, **own}
        merged["model"] = merged.get("model") or ""
        able = None if embeds else self._abilities(merged["model"])
        if able is not None and able.sampling == "refused":
            self._leave_out(merged, defaults.keys() - own.keys(), able)
        return merged if able is None else {**merged, **usual_settings(able, merged)}

    def _leave_out(self, settings: dict[str, Any], shared: Set[str], able: Abilities) -> None:
        """Take those of the shared settings away that a model refuses."""
        for name in shared & set(_SAMPLINGS):
            if settings.pop(name) in (None, 1) or (name, able.model) in self._warned:
                continue
            self._warned.add((name, able.model))
            logger.warning("%s is left out: it cannot be set for %s.", name, able.model)

    def _abilities(self, model: object) -> Abilities | None:
        """Return what a model can do; None where nobody can tell before the run."""
        if not isinstance(model, str):
            return None
        provider = self._registered_for(model)
        if provider is not None:
            return provider.abilities(model)
        try:
            return abilities_for(model, self._clients)
        except ConfigurationError:
            return None

    def _own_route(self, model: str) -> Route | None:
        return own_route(model, self._clients)

    def _registered_for(self, model: str) -> Provider | None:
        """Return the provider that the user has registered for a model, if there is one."""
        is_given = route_of_given(model, self._clients) is not None
        return None if is_given else ProviderRegistry.registered_for(model)

    def _check(self, job: Job) -> None:
        provider = self._registered_for(job.model)
        if provider is not None:
            _check_with(provider, job)
            return
        try:
            able = abilities_for(job.model, self._clients)
        except ConfigurationError:
            self._check_model(job)
            return
        if able is not None:
            check_job(job, able)

    def _check_model(self, job: Job) -> None:
        """Refuse a model that the registry does not find a provider for."""
        try:
            ProviderRegistry.get_provider(job.model)
        except ConfigurationError as error:
            if ":" in job.model:
                return  # a provider of that name may be registered before the run
            raise JobError(f"Job {job.id!r}: {error}", job_id=job.id, field="model") from None


def _check_with(provider: Provider, job: Job) -> None:
    try:
        provider.validate_job(job)
    except JobError:
        raise
    except ValueError as error:
        why = f"Job {job.id!r}: {provider.name} does not take it: {error}"
        raise JobError(why, job_id=job.id, field="model") from error


def to_batch(items: Iterable[LLMWorkItem[Any, Any, Any]], batch: Batch | None = None) -> Batch:
    """Return a batch with a job for each work item of the live lane: see `Batch.add_work_items`.

    Args:
        items: of strategies that send one request to one model.
        batch: that they are added to; None makes one.

    Raises:
        LaneError: naming each item that cannot be one job.
        JobError: if an id is taken.
    """
    return (Batch() if batch is None else batch).add_work_items(items)


def _known(settings: Mapping[str, Any]) -> dict[str, Any]:
    for name in settings:
        if name not in _SETTINGS:
            near = difflib.get_close_matches(name, _SETTINGS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(_SETTINGS)}."
            raise ConfigurationError(f"Jobs have no setting {name!r}. {hint}")
    return dict(settings)


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    """Return settings that a job can have."""
    model = settings.get("model")
    try:
        job = Job(**{**settings, "prompt": "any", "model": "any" if model is None else model})
    except JobError as error:
        why = str(error).removeprefix("A job: ")
        raise ConfigurationError(f"Batch.defaults: {why}") from None
    # What can be read once only was read for the check.
    return {**settings, "stop": job.stop} if "stop" in settings else settings


def _listed(messages: Turns | None) -> Turns | None:
    """Return what can be read twice; a mistake is left for `Job` to tell of."""
    is_listing = isinstance(messages, Iterable) and not isinstance(messages, (str, bytes, Mapping))
    return list(messages) if messages is not None and is_listing else messages


def _has_system(turns: object) -> bool:
    if not isinstance(turns, list):
        return False
    return any(isinstance(turn, Mapping) and turn.get("role") in SYSTEM_ROLES for turn in turns)


def _with_id(job: Job, own_id: str | None, ids: JobIds) -> Job:
    if own_id is None:
        made = ids.make(job.id)
        return job if made == job.id else dataclasses.replace(job, id=made)
    if not ids.take(own_id):
        raise JobError(
            f"Job {own_id!r} is there already. Give each job an id of its own.",
            job_id=own_id,
            field="id",
        )
    return job


def _refusal(entry: Entry, ids: JobIds) -> JobResult:
    place = entry.place.replace(" ", "-")
    is_free = entry.own_id is not None and ids.take(entry.own_id)
    return JobResult(
        entry.own_id if entry.own_id is not None and is_free else ids.make(place),
        error=f"InputError: {entry.reason}",
        error_category=INPUT_ERROR,
        cost_usd=0.0,
    )


def _names_in(rows: object) -> tuple[str, ...] | None:
    """Return the names of all fields that a list of mappings has; None where nobody can tell."""
    if not isinstance(rows, list):
        return None
    names = dict.fromkeys(name for row in rows if isinstance(row, Mapping) for name in row)
    return tuple(map(str, names)) or None


@contextmanager
def _opened(
    rows: Rows | str | os.PathLike[str], plan: RowPlan
) -> Iterator[Iterable[Row | BrokenRow]]:
    if isinstance(rows, (str, os.PathLike)):
        path = Path(rows)
        with open_source(path, format_of(path)) as source:
            yield source
    else:
        check_columns(columns_of(rows) or _names_in(rows), plan)
        yield table_rows(rows)
