"""A batch as it runs."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from concurrent.futures import wait
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..base import JobResult
from ..core.duration import duration_seconds
from ..exceptions import ConfigurationError, InputError, ProviderError
from .callbacks import check_callback
from .export import export
from .job_book import JobBook, digest_of
from .journal import open_journal
from .resubmission import resubmit
from .result_files import ResultFiles
from .run_status import RunStatus, status_of
from .runner import Runner
from .scratch_state import ScratchState
from .state import StateManager
from .stop_signals import STOP_SIGNALS, stopping_signals

if TYPE_CHECKING:
    import os
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Iterator,
        Mapping,
        Sequence,
    )
    from typing import Self

    from ..base import Job
    from ..providers import BatchClient
    from .deadline import Deadline
    from .events import Outcome
    from .export import ExportFormat
    from .journal import Journal
    from .params import BatchParams

logger = logging.getLogger("batch_llm")

_PROGRESS_SECONDS = 1.0
_WAKE_SECONDS = 0.5
_READ_AT_ONCE = 200
_NOT_STARTED = "The run was not started: call start() first."


class BatchRun:
    """A batch as it runs, on an event loop in a thread of its own.

    Its methods may be called from any thread, inside of a running event loop too. A program that
    ends before the run has does not lose anything: whatever was submitted is in the state file,
    and the same program goes on with it. Without a state file, the state is in a temporary folder,
    which goes with the run; where batches are left to collect it stays, and a warning says where.

    Args:
        jobs: to run; the state may hold more.
        params: how they are run.
        refused: results of rows of which no job could be made.
        clients: for providers whose clients are not to be opened by default.
        on_progress: called with the `status()` of the run as it goes on.
        time_limit_seconds: after which it ends; remote batches go on at the provider, and a later
            run with the same state file collects them.
        deadline: when jobs without an answer go through the live lane.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        params: BatchParams,
        *,
        refused: Sequence[JobResult] = (),
        clients: Mapping[str, BatchClient] | None = None,
        on_progress: Callable[[RunStatus], object] | None = None,
        time_limit_seconds: float | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        self._jobs = jobs
        self._params = params
        self._refused = tuple(refused)
        self._clients = dict(clients or {})
        if on_progress is not None:
            check_callback(on_progress)
        self._on_progress = on_progress
        self._interval_seconds = _PROGRESS_SECONDS
        self._time_limit_seconds = (
            None
            if time_limit_seconds is None
            else duration_seconds("time_limit_seconds", time_limit_seconds)
        )
        self._deadline = deadline
        self._scratch: ScratchState | None = None
        self._path = self._state_path()
        self._journal: Journal | None = None
        self._runner: Runner | None = None
        self._book: JobBook | None = None
        self._files: ResultFiles | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._cancelling: asyncio.Task[None] | None = None
        self._ended: list[str] = []
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._begun = threading.Event()
        self._done = threading.Event()
        self._fault: BaseException | None = None

    # -- running

    def start(self) -> Self:
        """Begin; where it has begun already, nothing happens.

        Raises:
            ConfigurationError: for a state file that cannot be used, or a model that no provider
                is known for.
            StateMismatchError: if the state holds other jobs under the same ids.
            StateError: if another process has the state open, or it cannot be read.
        """
        if self._runner is None:
            self._open()
            self._begin()
        return self

    async def arun(self) -> Self:
        """Run on the event loop of the caller, until it has ended.

        Where the call is cancelled, it ends as `shutdown(wait_for_active=False)` does.
        """
        if self._runner is not None:
            raise ConfigurationError("The run has begun already: wait for it.")
        await self._open_in_thread()
        try:
            await self._core()
        finally:
            self._finish()
        return self

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Wait until the run has ended; return whether it has.

        On the main thread, the first SIGINT or SIGTERM meanwhile lets nothing more be submitted
        and what is under way finish; a second one leaves at once.

        Args:
            timeout_seconds: how long at the most.

        Raises:
            ConfigurationError: from `on_progress`, or on the event loop of `arun`: the run would
                wait for itself.
            Exception: that ended the run, such as an `AuthenticationError` if a key is refused, or
                a `StateError` if the state cannot be written. What is in the state stays good.
        """
        if self._is_own_loop():
            raise ConfigurationError(
                "wait() was called on the event loop that the run itself runs on, by on_progress "
                "or beside arun(): it would wait for itself. Wait on another thread."
            )
        self.start()
        if self in STOP_SIGNALS:
            self._wait_done(timeout_seconds)
        else:
            with stopping_signals(self.stop_gently, self.leave):
                self._wait_done(timeout_seconds)
        return self.is_complete

    def stop_on_signals(self) -> Self:
        """Let SIGINT and SIGTERM stop it while the main thread does something else.

        As in `wait`, the first lets nothing more be submitted, and a second leaves. It is for
        programs that ask `is_complete` in a loop of their own; `Batch.run` calls it. Off the main
        thread, in a running event loop, and where the program has handlers of its own, nothing is
        done. Once the run is seen to have ended, the handlers from before are in force again.
        """
        STOP_SIGNALS.add(self)
        return self

    def has_ended(self) -> bool:
        """Whether nothing of it is at work, whatever has ended it."""
        return self._done.is_set()

    def stop_gently(self) -> None:
        """Submit nothing more, and end once remote batches have; return at once."""
        self._stop("it was interrupted", leaves=False)

    def leave(self) -> None:
        """End, and let remote batches go on at the provider; return at once."""
        self._stop("it was interrupted", leaves=True)

    def shutdown(self, wait_for_active: bool = True) -> None:
        """Submit nothing more, and end: with `wait_for_active` once remote batches have ended.

        Without, they go on at the provider, and a later run collects them. From `on_progress`, and
        on the event loop of `arun`, it returns at once.
        """
        if self._runner is None:
            return
        self._stop("it was shut down", leaves=not wait_for_active)
        if self._is_own_loop():
            return
        self._wait_done(None)
        STOP_SIGNALS.remove(self)

    def cancel(self, *, wait: bool = True) -> None:
        """Have the providers stop, and keep what was done by then; nothing more is submitted.

        A run that was not started begins, so that what its state knows of is cancelled; so does one
        that has ended while remote batches went on. Jobs that
        were never submitted stay pending: they are not lost, and `run` sends them, with the same
        state. From `on_progress`, and on the event loop of `arun`, it returns at once, and what
        cannot be told is logged.

        Args:
            wait: whether to return only once the run has ended; else once the providers are told.

        Raises:
            ProviderError: if one cannot be told at once; the others have been, and the run goes on
                trying.
        """
        if self._runner is None or self._left_some():
            self._open(is_again=self._runner is not None)
            self._running().stop("it was cancelled")
            self._begin()
        runner, loop = self._runner, self._running_loop()
        if runner is None or loop is None:
            return
        if self._is_own_loop():
            self._cancelling = loop.create_task(_logged(runner.cancel()))
            return
        try:
            self._tell(runner.cancel(), loop)
        finally:
            if wait:
                self._wait_done(None)

    def retry_failed(self) -> Self:
        """Run the jobs that failed once more, once the run has ended. Nothing else is sent again.

        Raises:
            ConfigurationError: if the run goes on.
            StateMismatchError: if the file of a job has changed; nothing is sent.
        """
        return self._run_again("failed")

    def resubmit_expired(self) -> Self:
        """Run the jobs that expired once more, once the run has ended. Nothing else is sent again.

        Raises:
            ConfigurationError: if the run goes on.
            StateMismatchError: if the file of a job has changed; nothing is sent.
        """
        return self._run_again("expired")

    # -- how it stands

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended; `status().is_complete` says whether all jobs have.

        Raises:
            Exception: that ended the run.
        """
        if not self._done.is_set():
            return False
        STOP_SIGNALS.remove(self)
        if self._fault is not None:
            raise self._fault
        return True

    def status(self, print: bool = False) -> RunStatus:  # noqa: A002 - the contract's name
        """Return how the run stands.

        Args:
            print: whether to print a line too.

        Raises:
            ConfigurationError: if it was not started.
        """
        status = self._status()
        if self._done.is_set():
            STOP_SIGNALS.remove(self)
        if print:
            _say(str(status))
        return status

    def results(self) -> dict[str, JobResult]:
        """Return how jobs ended that have, by id; refused rows are among them.

        Raises:
            ConfigurationError: if it was not started.
        """
        return {result.job_id: result for result in self._results()}

    async def stream(self) -> AsyncIterator[JobResult]:
        """Yield results as they come: those there are, then the others until the run has ended.

        Raises:
            Exception: that ended the run.
        """
        await asyncio.to_thread(self.start)
        for result in self._refused:
            yield result
        event, loop, given = asyncio.Event(), asyncio.get_running_loop(), 0
        self._listeners.add((loop, event))
        try:
            while True:
                event.clear()
                is_last = self._done.is_set()
                while given < len(self._ended):
                    group = self._ended[given : given + _READ_AT_ONCE]
                    for result in await asyncio.to_thread(self._results_of, group):
                        yield result
                    given += len(group)
                if is_last:
                    break
                await event.wait()
        finally:
            self._listeners.discard((loop, event))
        if self._fault is not None:
            raise self._fault

    def set_on_progress(
        self, callback: Callable[[RunStatus], object] | None, interval: float = _PROGRESS_SECONDS
    ) -> Self:
        """Call `callback` with the `status()` of the run, on its thread.

        Args:
            callback: what it raises is logged, and the run goes on.
            interval: seconds between two calls at the least; it is called once more at the end.
        """
        if callback is not None:
            check_callback(callback)
        if not interval > 0:
            raise ConfigurationError(f"interval is seconds above 0, not {interval!r}.")
        self._on_progress, self._interval_seconds = callback, interval
        return self

    def export(
        self,
        format: ExportFormat,  # noqa: A002 - the contract's name
        path: str | os.PathLike[str],
    ) -> None:
        """Write the results that there are to a file, as `batch_llm.batch.export` does."""
        export(self._results(), format, path)

    def __repr__(self) -> str:
        return f"BatchRun({self._status() if self._journal is not None else 'not started'})"

    # -- inside: the beginning and the end

    def _state_path(self) -> Path:
        if self._params.state_file is not None:
            return Path(self._params.state_file)
        self._scratch = ScratchState()
        weakref.finalize(self, self._scratch.keep_or_remove)
        return self._scratch.path

    def _open(self, *, is_again: bool = False) -> None:
        # What an earlier opening has put into the state is this run's own.
        if not (is_again or self._params.reuse_state):
            StateManager(self._path).clear()
        self._begun.clear()
        self._done.clear()
        self._fault = None
        journal = open_journal(self._path)
        try:
            self._take_jobs(journal)
        except BaseException:
            journal.close()
            raise

    async def _open_in_thread(self) -> None:
        """Open, while others on the event loop get their turn: it takes seconds for many jobs."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._open))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # A thread goes on to its end, and what it has opened is to be closed.
            await asyncio.wait([opening])
            if not opening.cancelled() and opening.exception() is None:
                self._finish()
            raise

    def _take_jobs(self, journal: Journal) -> None:
        book = JobBook(self._jobs, journal, self._clients)
        for model in dict.fromkeys(job.model for job in self._jobs):
            book.route(next(job for job in self._jobs if job.model == model))
        if self._params.results_dir is not None:
            self._files = ResultFiles(self._params.results_dir)
        self._add_jobs(journal)
        # What goes live yet is told of at its end.
        late = set(journal.state.late_ids()) if self._deadline is not None else set[str]()
        self._ended = [job_id for job_id in journal.state.ended_ids() if job_id not in late]
        self._journal, self._book = journal, book
        if self._scratch is not None:
            self._scratch.journal = journal
        self._write_missing_files(journal)
        self._runner = Runner(journal, book, self._params, self._kept, self._deadline)

    def _add_jobs(self, journal: Journal) -> None:
        """Add the jobs that are new, if all others are still the same."""
        digests = {job.id: digest_of(job) for job in self._jobs}
        journal.add_jobs(_Specs(self._jobs), lambda spec: digests[spec["id"]])

    def _begin(self) -> None:
        thread = threading.Thread(target=self._run_in_thread, name="batch-run", daemon=True)
        thread.start()

    def _write_missing_files(self, journal: Journal) -> None:
        """Write the files of results that an earlier process kept, and had no time to write."""
        if self._files is None:
            return
        for job_id in self._ended:
            # The file of a job that was tried again may be that of an earlier attempt.
            if journal.state.attempt(job_id) > 1 or not self._files.has(job_id):
                kept = journal.result(job_id)
                assert kept is not None, "it has ended"
                self._files.write_kept(kept)

    def _run_in_thread(self) -> None:
        try:
            asyncio.run(self._core())
        except BaseException as error:  # whatever it is, those who wait for the run are told
            self._fault = error
        finally:
            self._finish()

    async def _core(self) -> None:
        runner, self._loop = self._running(), asyncio.get_running_loop()
        self._begun.set()
        limit = self._time_limit_seconds
        timer = None
        if limit is not None:
            reason = f"its time limit of {limit:g} s is over"
            timer = self._loop.call_later(limit, lambda: runner.stop(reason, leaves=True))
        progress = asyncio.create_task(self._report())
        try:
            await runner.run()
            if self._deadline is not None:
                self._keep_unanswered()
        finally:
            progress.cancel()
            if timer is not None:
                timer.cancel()
            self._tell_progress()

    def _finish(self) -> None:
        journal = self._journal
        try:
            if journal is not None:
                journal.close()
            if self._scratch is not None:
                self._scratch.warn()
        except Exception as error:  # those who wait for the run are told
            self._fault = self._fault or error
        finally:
            self._loop = None
            self._done.set()
            self._begun.set()
            self._wake()

    def _run_again(self, outcome: Outcome) -> Self:
        if self._runner is None or not self._done.is_set():
            raise ConfigurationError("Jobs run once more after the run has ended: wait for it.")
        with open_journal(self._path) as journal:
            self._add_jobs(journal)  # refuses changed ones before anything is written
            resubmit(journal, outcome)
        self._runner = None
        # The state is this run's own by now.
        reuses, self._params = self._params, _reusing(self._params)
        try:
            return self.start()
        finally:
            self._params = reuses

    # -- inside: while it runs

    def _running(self) -> Runner:
        assert self._runner is not None, "it was opened"
        return self._runner

    def _stop(self, reason: str, *, leaves: bool) -> None:
        runner, loop = self._runner, self._running_loop()
        if runner is not None and loop is not None:
            with suppress(RuntimeError):  # it has ended meanwhile
                loop.call_soon_threadsafe(lambda: runner.stop(reason, leaves=leaves))

    def _tell(self, what: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> None:
        """Do something on the loop of the run, unless that ends before."""
        try:
            told = asyncio.run_coroutine_threadsafe(what, loop)
        except RuntimeError:  # it has ended meanwhile
            what.close()
            return
        while not (wait([told], _WAKE_SECONDS).done or self._done.is_set()):
            pass
        if told.done() and not told.cancelled():
            told.result()

    def _running_loop(self) -> asyncio.AbstractEventLoop | None:
        """Return the loop of the run, once it has one; None before the start and after the end."""
        if self._runner is None:
            return None
        if not self._is_own_loop():
            self._begun.wait()
        return self._loop

    def _left_some(self) -> bool:
        """Whether it has ended while remote batches went on."""
        journal = self._journal
        return self._done.is_set() and journal is not None and bool(journal.state.open_chunks)

    def _is_own_loop(self) -> bool:
        """Whether the caller is on the event loop of the run, which nothing may hold up."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    def _wait_done(self, timeout_seconds: float | None) -> None:
        if timeout_seconds is not None:
            self._done.wait(timeout_seconds)
            return
        # In pieces: a wait without an end cannot be interrupted on every system.
        while not self._done.wait(_WAKE_SECONDS):
            pass

    def _kept(self, results: list[JobResult]) -> None:
        for result in results:
            if self._files is not None:
                self._files.write(result)
            self._ended.append(result.job_id)
        self._wake()

    def _keep_unanswered(self) -> None:
        """Let those jobs be told of that expired or were cancelled, and did not go live."""
        journal = self._journal
        assert journal is not None, "it was opened"
        told = set(self._ended)
        late = [job_id for job_id in journal.state.late_ids() if job_id not in told]
        self._kept(self._results_of(late))

    def _wake(self) -> None:
        for loop, event in list(self._listeners):
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(self._interval_seconds)
            self._tell_progress()

    def _tell_progress(self) -> None:
        callback = self._on_progress
        if callback is None:
            return
        try:
            callback(self._status())
        except Exception:  # the user's own function may raise anything
            logger.exception("on_progress raised; the run goes on.")

    # -- inside: what is read

    def _status(self) -> RunStatus:
        journal, runner = self._journal, self._runner
        if journal is None:
            raise ConfigurationError(_NOT_STARTED)
        late = None if runner is None else runner.late
        with journal.steady() as state:
            return status_of(
                state,
                refused_rows=len(self._refused),
                held=[] if runner is None else list(runner.held),
                why={} if runner is None else runner.whys(),
                is_running=not self._done.is_set(),
                stopped_because=self._end_of(runner),
                cost_limit_usd=self._params.cost_limit_usd,
                live=0 if late is None else late.under_way,
                not_live=() if late is None else tuple(late.reasons),
            )

    def _end_of(self, runner: Runner | None) -> str | None:
        """Return why the run ended too early; None where it did not."""
        if self._fault is not None:
            return str(self._fault) or type(self._fault).__name__
        return None if runner is None else runner.stopped_because

    def _results(self) -> Iterator[JobResult]:
        if self._journal is None:
            raise ConfigurationError(_NOT_STARTED)
        yield from self._refused
        ended = list(self._ended)
        for start in range(0, len(ended), _READ_AT_ONCE):
            yield from self._results_of(ended[start : start + _READ_AT_ONCE])

    def _results_of(self, job_ids: Sequence[str]) -> list[JobResult]:
        journal, book = self._journal, self._book
        assert journal is not None, "it was opened"
        assert book is not None, "it was opened"
        # One that is tried again has no result any more.
        ended = [job_id for job_id in job_ids if journal.state.outcome(job_id) is not None]
        return [_result_of(told, book) for told in journal.results(ended)]


async def _logged(cancelling: Coroutine[Any, Any, None]) -> None:
    try:
        await cancelling
    except ProviderError as error:
        logger.warning("A provider could not be told to cancel, and is told again: %s", error)


def _result_of(told: dict[str, Any], book: JobBook) -> JobResult:
    if not told.get("is_model"):
        return JobResult.from_dict(told)
    job_id: str = told["job_id"]
    try:
        return JobResult.from_dict(told, response_model=book.job(job_id).response_model)
    except InputError as error:
        # It is paid for, and so are the others: what the model held is there all the same.
        logger.warning("parsed_response of job %r stays a dictionary. %s", job_id, error)
        return JobResult.from_dict(told)


class _Specs:
    """Jobs as their state keeps them, made anew each time they are read."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (job.to_dict() for job in self._jobs)


def _reusing(params: BatchParams) -> BatchParams:
    from dataclasses import replace

    return replace(params, reuse_state=True)


def _say(text: str) -> None:
    print(text)  # noqa: T201 - that is what was asked for
