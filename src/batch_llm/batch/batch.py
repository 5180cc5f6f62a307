"""The builder of a batch."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from ..base import Job
from ..core.duration import duration_seconds
from ..exceptions import ConfigurationError
from ..lanes import LiveItems, LiveLane, LiveStrategies, jobs_of
from .jobs.job_list import JobList
from .jobs.job_settings import JobSettings, SharedSettings, known_settings
from .jobs.known_models import KnownModels
from .jobs.row_jobs import RowJobs, tell_of_refused
from .jobs.turns import has_system, readable_twice
from .late.deadline import Deadline
from .money.estimate import BatchEstimate, estimate
from .params import BatchParams
from .running.callbacks import check_callback
from .running.run import BatchRun
from .running.run_places import RunPlaces

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping
    from typing import Self, Unpack

    from ..base import JobResult, LLMWorkItem
    from ..core import ProcessorConfig
    from ..core.duration import Duration
    from ..lanes import GivenStrategies
    from ..providers import BatchClient
    from ..rows.frames import Rows
    from .jobs.turns import Turns
    from .running.run_status import RunStatus

_POLL_SECONDS: Final = 30.0


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
            same script submits its jobs anew. A relative path begins where the program is now,
            wherever it goes later; so does that of `results_dir`.
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
        self._places = RunPlaces.of(self._params)
        self._clients = dict(clients or {})
        self._models = KnownModels(self._clients)
        self._shared = SharedSettings(self._models.abilities_of)
        self._added = JobList()
        self._live_strategies: GivenStrategies | None = None
        self._live_config: ProcessorConfig | None = None
        self._progress_callback: Callable[[Any], object] | None = None

    @property
    def params(self) -> BatchParams:
        """How it is run."""
        return dataclasses.replace(self._params, default_params=self._shared.values)

    @property
    def config(self) -> BatchParams:
        """The same as `params`."""
        return self.params

    @property
    def jobs(self) -> list[Job]:
        """The jobs, in the order in which they were added."""
        return list(self._added.jobs)

    @property
    def refused(self) -> list[JobResult]:
        """Rows of `add_jobs` of which no job could be made: each is a result that has failed."""
        return list(self._added.refused)

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
        self._shared.update(known_settings(settings))
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
        own = known_settings(settings)
        turns = readable_twice(messages)
        merged = self._shared.of_job(own, embeds=text is not None, has_system=has_system(turns))
        job = Job(id, turns, file, prompt, text=text, **merged)
        job.check_file()
        self._models.check(job)
        self._added.add(job, id)
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
        asked = RowJobs.of(prompt, text, id_field)
        own = known_settings(settings)
        merged = self._shared.of_job(own, embeds=asked.embeds, has_system=False)
        addition = self._added.addition()
        asked.add_to(addition, rows, merged, self._models.check)
        tell_of_refused(addition)
        self._added.take(addition)
        return self

    def add_work_items(self, items: Iterable[LLMWorkItem[Any, Any, Any]]) -> Self:
        """Add a job for each work item of the live lane: the same request under the same id.

        What `defaults` has does not count for them: an item says all there is.

        Raises:
            LaneError: naming each item whose strategy is more than one request to one model: an
                agent, a strategy of yours, an escalation, a pool. None is added then.
            JobError: if an id is taken, or a model cannot do what is asked; none is added then.
        """
        addition = self._added.addition()
        for job in jobs_of(items, self._clients):
            addition.add(job, job.id)
        for job in addition.jobs:
            self._models.check(job)
        self._added.take(addition)
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
        return LiveItems(self.jobs, LiveStrategies(given, self._models.own_route))

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
            dry_run: whether to send nothing, and return what the jobs would cost; it needs no key.
            time_limit_seconds: after which the run ends; remote batches go on at the provider, and
                a later run with the same `state_file` collects them.
            deadline: seconds, a `timedelta`, or a text such as "6h", from the first start of these
                jobs on; another value than the state has counts from now, and so does the deadline
                of jobs that are sent again. What has no answer by then goes through the live lane,
                within the same limit in USD: remote batches are cancelled at the provider, and
                what they have done is kept. Jobs that failed do not go again. See `live_lane`.

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
                self._added.jobs,
                self._clients,
                self._params.items_per_batch,
                len(self._added.refused),
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
            refused=self._added.refused,
            clients=self._clients,
            on_progress=on_progress or self._progress_callback,
            time_limit_seconds=time_limit_seconds,
            deadline=None if deadline is None else self._deadline(deadline),
            places=self._places,
        )

    def _deadline(self, given: Duration) -> Deadline:
        lane = LiveLane(self._live_strategies, self._live_config, self._models.own_route)
        lane.strategies.check(self._added.jobs, has_limit=self._params.cost_limit_usd is not None)
        return Deadline(duration_seconds("deadline", given), lane)

    def __repr__(self) -> str:
        return f"Batch({len(self._added.jobs)} jobs, {self.params})"


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
