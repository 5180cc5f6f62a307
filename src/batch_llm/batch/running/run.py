"""A batch as it runs."""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING

from ...core.duration import duration_seconds
from ...exceptions import ConfigurationError, ProviderError
from ..results.export import export
from ..state.journal import open_again
from ..state.resubmission import resubmit
from .opened_run import add_jobs
from .progress import PROGRESS_SECONDS, Progress
from .run_places import RunPlaces
from .run_setup import RunSetup
from .scratch_state import ScratchState
from .session import Session
from .stop_signals import STOP_SIGNALS, stopping_signals

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from typing import Self

    from ...base import Job, JobResult
    from ...providers import BatchClient
    from ..late.deadline import Deadline
    from ..params import BatchParams
    from ..results.export import ExportFormat
    from ..state.events import Outcome
    from .opened_run import OpenedRun
    from .run_status import RunStatus
    from .runner import Runner

logger = logging.getLogger("batch_llm")


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
        places: where its files are; by default, what `params` names from the present directory.
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
        places: RunPlaces | None = None,
    ) -> None:
        self._progress = Progress()
        self._progress.set(on_progress, PROGRESS_SECONDS)
        if time_limit_seconds is not None:
            time_limit_seconds = duration_seconds("time_limit_seconds", time_limit_seconds)
        places = places or RunPlaces.of(params)
        scratch, path = None, places.state_file
        if path is None:
            scratch = ScratchState()
            path = scratch.path
            weakref.finalize(self, scratch.keep_or_remove)
        self._setup = RunSetup(
            jobs,
            params,
            path,
            places.results_dir,
            scratch,
            tuple(refused),
            dict(clients or {}),
            time_limit_seconds,
            deadline,
        )
        # Held while a session begins: what is called meanwhile waits, and finds it there.
        self._beginning = threading.Lock()
        self._coming: Session | None = None
        self._session: Session | None = None
        self._cancelling: asyncio.Task[None] | None = None

    # -- running

    def start(self) -> Self:
        """Begin; where it has begun already, nothing happens.

        Raises:
            ConfigurationError: for a state file that cannot be used, or a model that no provider
                is known for.
            StateMismatchError: if the state holds other jobs under the same ids.
            StateError: if another process has the state open, or it cannot be read.
        """
        with self._beginning:
            if self._session is None:
                self._begin(self._new_session())
        return self

    async def arun(self) -> Self:
        """Run on the event loop of the caller, until it has ended.

        Where the call is cancelled, it ends as `shutdown(wait_for_active=False)` does. Where it has
        begun already, its end is waited for.

        Raises:
            Exception: as `start`, and as `wait`.
        """
        session = self._claimed()
        if session is None:
            await asyncio.to_thread(self.start)
            await self._begun_session().ended()
            return self
        await self._open_in_thread(session)
        try:
            await session.run()
        finally:
            session.close()
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
                a `StateError` if the state cannot be written. What is in the state stays good. Of
                files in `results_dir` that cannot be written, a `ConfigurationError` tells once all
                else is done.
        """
        if self._is_at_home():
            raise ConfigurationError(
                "wait() was called on the event loop that the run itself runs on, by on_progress "
                "or beside arun(): it would wait for itself. Wait on another thread."
            )
        session = self.start()._begun_session()
        if self in STOP_SIGNALS:
            session.wait(timeout_seconds)
        else:
            with stopping_signals(self.stop_gently, self.leave):
                session.wait(timeout_seconds)
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
        session = self._now()
        return session is not None and session.has_ended()

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
        session = self._now()
        if session is None:
            return
        self._stop("it was shut down", leaves=not wait_for_active)
        if session.is_at_home():
            return
        session.wait()
        STOP_SIGNALS.remove(self)

    def cancel(self, *, wait: bool = True) -> None:
        """Have the providers stop, and keep what was done by then; nothing more is submitted.

        A run that was not started begins, so that what its state knows of is cancelled; so does one
        that has ended while remote batches went on. Jobs that were never submitted stay pending:
        they are not lost, and `run` sends them, with the same state. Jobs that were cancelled are
        sent by `resubmit_cancelled`. From `on_progress`, and on the event loop of `arun`, it
        returns at once, and what cannot be told is logged.

        Args:
            wait: whether to return only once the run has ended; else once the providers are told.

        Raises:
            ProviderError: if one cannot be told at once; the others have been, and the run goes on
                trying.
            StateError: if the run begins once more, and its state file is gone, or another run's.
        """
        now = self._now()
        if now is not None and now.is_at_home():
            now.ask(self._cancel_logged)
            return
        session = self._to_cancel()
        try:
            session.tell(lambda runner: runner.cancel())
        finally:
            if wait:
                session.wait()

    def retry_failed(self) -> Self:
        """Run the jobs that failed once more, once the run has ended. Nothing else is sent again.

        Until a job has ended again, its result is the one that it has now.

        Raises:
            ConfigurationError: if the run goes on.
            StateMismatchError: if the file of a job has changed; nothing is sent.
            JobError: so for a job that the state alone holds, or if its `response_model` has.
            StateError: if the state file is gone, or another run's; nothing is sent either.
        """
        return self._run_again("failed")

    def resubmit_expired(self) -> Self:
        """Run the jobs that expired once more, once the run has ended. Nothing else is sent again.

        Until a job has ended again, its result is the one that it has now.

        Raises:
            ConfigurationError: if the run goes on.
            StateMismatchError: if the file of a job has changed; nothing is sent.
            JobError: so for a job that the state alone holds, or if its `response_model` has.
            StateError: if the state file is gone, or another run's; nothing is sent either.
        """
        return self._run_again("expired")

    def resubmit_cancelled(self) -> Self:
        """Run the jobs that were cancelled once more, once the run has ended.

        Jobs that were never submitted go too; nothing else is sent again. Until a job has ended
        again, its result is the one that it has now.

        Raises:
            ConfigurationError: if the run goes on.
            StateMismatchError: if the file of a job has changed; nothing is sent.
            JobError: so for a job that the state alone holds, or if its `response_model` has.
            StateError: if the state file is gone, or another run's; nothing is sent either.
        """
        return self._run_again("cancelled")

    # -- what it was made of

    @property
    def config(self) -> BatchParams:
        """How it is run."""
        return self._setup.params

    @property
    def jobs(self) -> list[Job]:
        """The jobs that it was given, in their order; the state may hold more."""
        return list(self._setup.jobs)

    # -- how it stands

    @property
    def is_complete(self) -> bool:
        """Whether the run has ended; `status().is_complete` says whether all jobs have.

        Raises:
            Exception: that ended the run.
        """
        session = self._session
        if session is None or not session.has_ended():
            return False
        STOP_SIGNALS.remove(self)
        if session.fault is not None:
            raise session.fault
        return True

    def status(self, print: bool = False) -> RunStatus:  # noqa: A002 - the contract's name
        """Return how the run stands.

        Args:
            print: whether to print a line too.

        Raises:
            ConfigurationError: if it was not started.
        """
        session = self._begun_session()
        status = session.status()
        if session.has_ended():
            STOP_SIGNALS.remove(self)
        if print:
            _say(str(status))
        return status

    def results(self) -> dict[str, JobResult]:
        """Return how jobs ended that have, by id, in the order in which they were added.

        Rows of which no job could be made come first. Jobs that are tried again are among them,
        with the result that they had before.

        Raises:
            ConfigurationError: if it was not started.
            StateError: if the state file is gone, or another run's.
        """
        return {result.job_id: result for result in self._opened().results()}

    async def stream(self) -> AsyncIterator[JobResult]:
        """Yield results as they come: those there are, then the others until the run has ended.

        A job that is tried again comes once: as it has ended then, or at the end as it had before.

        Raises:
            Exception: that ended the run.
        """
        await asyncio.to_thread(self.start)
        async with aclosing(self._begun_session().results()) as results:
            async for result in results:
                yield result

    def set_on_progress(
        self, callback: Callable[[RunStatus], object] | None, interval: float = PROGRESS_SECONDS
    ) -> Self:
        """Call `callback` with the `status()` of the run, on its thread.

        Args:
            callback: what it raises is logged, and the run goes on; None calls nothing.
            interval: seconds between two calls at the least; it is called once more at the end,
                when nothing is running.
        """
        self._progress.set(callback, interval)
        return self

    def export(
        self,
        format: ExportFormat,  # noqa: A002 - the contract's name
        path: str | os.PathLike[str],
    ) -> None:
        """Write `results()` to a file, as `batch_llm.batch.export` does.

        Raises:
            ConfigurationError: if it is the state file, by whatever name; otherwise as `export`.
            StateError: as `results`; what stands at `path` stays.
        """
        opened = self._opened()
        if _is_same_file(path, opened.journal.path):
            raise ConfigurationError(
                f"{str(path)!r} is the state file of this run; export to another file."
            )
        export(opened.results(), format, path)

    def __repr__(self) -> str:
        session = self._session
        return f"BatchRun({'not started' if session is None else session.status()})"

    # -- inside

    def _now(self) -> Session | None:
        """Return the session that is at work, or is about to be; else the last."""
        return self._coming or self._session

    def _begun_session(self) -> Session:
        """Return the session whose state is open, or was the last to be.

        Raises:
            ConfigurationError: if there is none yet.
        """
        if self._session is None:
            raise ConfigurationError("The run was not started: call start() first.")
        return self._session

    def _opened(self) -> OpenedRun:
        return self._begun_session().opened

    def _is_at_home(self) -> bool:
        now = self._now()
        return now is not None and now.is_at_home()

    def _new_session(self) -> Session:
        """Return a session whose state is open; `_beginning` is held."""
        self._coming = Session(self._setup, self._progress)
        return self._open(self._coming)

    def _open(self, session: Session) -> Session:
        before = self._session
        try:
            # What an earlier session has put into the state is this run's own.
            session.open(None if before is None else before.opened.journal)
            self._session = session
        finally:
            self._coming = None
        return session

    def _begin(self, session: Session) -> None:
        thread = threading.Thread(
            target=self._run_in_thread, args=[session], name="batch-run", daemon=True
        )
        thread.start()

    def _run_in_thread(self, session: Session) -> None:
        try:
            asyncio.run(session.run())
        except BaseException as error:  # whatever it is, those who wait for the run are told
            session.fault = session.fault or error
        finally:
            session.close()

    def _claimed(self) -> Session | None:
        """Return a session for the event loop of the caller, with `_beginning` held.

        None, and nothing is held, where the run has begun, or somebody else is about to begin it.
        """
        if not self._beginning.acquire(blocking=False):
            return None
        if self._session is not None:
            self._beginning.release()
            return None
        self._coming = Session(self._setup, self._progress, asyncio.get_running_loop())
        return self._coming

    async def _open_in_thread(self, session: Session) -> None:
        """Open, while others on the event loop get their turn: it takes seconds for many jobs."""
        opening = asyncio.ensure_future(asyncio.to_thread(self._open, session))
        try:
            await asyncio.shield(opening)
        except asyncio.CancelledError:
            # A thread goes on to its end, and what it has opened is to be closed.
            await asyncio.wait([opening])
            if not opening.cancelled() and opening.exception() is None:
                session.close()
            raise
        finally:
            self._beginning.release()

    def _run_again(self, outcome: Outcome) -> Self:
        with self._beginning:
            if self._session is None or not self._session.has_ended():
                raise ConfigurationError("Jobs run once more after the run has ended: wait for it.")
            with open_again(self._session.opened.journal) as journal:
                add_jobs(self._setup.jobs, journal)  # refuses changed ones before all else
                resubmit(journal, outcome, self._setup.jobs)
            self._begin(self._new_session())
        return self

    def _to_cancel(self) -> Session:
        """Return the session that is at work; where there is none, one that submits nothing."""
        with self._beginning:
            session = self._session
            if session is None or session.left_some():
                session = self._new_session()
                session.ask(lambda runner: runner.stop("it was cancelled"))
                self._begin(session)
        return session

    def _cancel_logged(self, runner: Runner) -> None:
        self._cancelling = asyncio.get_running_loop().create_task(_logged(runner))

    def _stop(self, reason: str, *, leaves: bool) -> None:
        session = self._now()
        if session is not None:
            session.ask(lambda runner: runner.stop(reason, leaves=leaves))


async def _logged(runner: Runner) -> None:
    try:
        await runner.cancel()
    except ProviderError as error:
        logger.warning("A provider could not be told to cancel, and is told again: %s", error)


def _say(text: str) -> None:
    print(text)  # noqa: T201 - that is what was asked for


def _is_same_file(one: str | os.PathLike[str], other: Path) -> bool:
    """Return whether both lead to one file that is there, through links too."""
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them is not there
        return False
