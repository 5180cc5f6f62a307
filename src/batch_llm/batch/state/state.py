"""What a batch run has come to, as one value, and the file that it is saved in."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ...base import Job, JobResult
from ...exceptions import JobError, StateError, StateMismatchError
from ...files import PathLock
from ..jobs.digest import UNKNOWN_DIGEST, digest_of
from .events import VERSION, Resubmitted, Settled
from .journal import job_digest, open_journal, results_of, specs_of
from .state_file import (
    STATE,
    close_held,
    fold,
    new_header,
    open_held,
    read_header,
    state_path,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from .events import Outcome
    from .journal import Journal
    from .run_state import RunState


@dataclass(slots=True)
class BatchState:
    """A batch run at one instant, in memory as a whole.

    Args:
        batch_id: names the run among all others.
        created_at: when it was created, in ISO 8601.
        pending_jobs: jobs that have not ended, those that are with a provider included. One that
            is known by its id alone, or whose `response_model` cannot be imported here, is a
            dictionary as `Job.to_dict` gives it.
        completed_results: by job id, the results of jobs that succeeded.
        failed_jobs: by job id, why a job failed, expired or was cancelled.
        total_cost_usd: what was spent, in USD.
    """

    batch_id: str = field(default_factory=lambda: uuid4().hex)
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    pending_jobs: list[Job | dict[str, Any]] = field(default_factory=list)
    completed_results: dict[str, JobResult] = field(default_factory=dict)
    failed_jobs: dict[str, str] = field(default_factory=dict)
    total_cost_usd: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON takes, of which `from_dict` makes an equal state."""
        return {
            "batch_id": self.batch_id,
            "created_at": self.created_at,
            "pending_jobs": [_plain(job) for job in self.pending_jobs],
            "completed_results": {
                name: _plain(result) for name, result in self.completed_results.items()
            },
            "failed_jobs": dict(self.failed_jobs),
            "total_cost_usd": self.total_cost_usd,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> BatchState:
        """Return the state of which `to_dict` gave `data`; what it does not know is left out.

        A parsed answer whose job is no longer pending stays a dictionary: the state does not hold
        its `response_model`.

        Raises:
            InputError: if a result is none of a job.
        """
        names = {one.name for one in fields(cls)}
        known = {name: value for name, value in data.items() if name in names}
        known["pending_jobs"] = [_job(told) for told in known.get("pending_jobs", ())]
        known["completed_results"] = {
            name: JobResult.from_dict({"job_id": name, **told})
            for name, told in known.get("completed_results", {}).items()
        }
        return cls(**known)


class StateManager:
    """Saves the state of a batch run in a file, and gives it back.

    The file is the one that a run keeps as it goes (`open_journal`), and holds more than a
    `BatchState` does: to which remote batch a job has gone. Saving adds to it, and takes nothing
    from it.

    Args:
        path: the file, or a folder that is there (`"./"`): then `batch_state.jsonl` in it.

    Raises:
        ConfigurationError: if there can be no file there.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = state_path(path)

    def save(self, state: BatchState) -> None:
        """Add to the file what it does not hold yet; all of it survives a loss of power.

        What a result costs is its "cost_usd"; `total_cost_usd` counts where it is more than is
        known. Jobs that the file has given to a provider stay there.

        Raises:
            StateMismatchError: if the file is of another batch, or a job differs from that of the
                same id.
            StateError: if another process has it open, or it cannot be read or written.
        """
        with open_journal(self.path, nonce=state.batch_id, created_at=state.created_at) as journal:
            if journal.nonce != state.batch_id:
                raise _other_batch(self.path, journal.nonce, state.batch_id)
            _save(journal, state)

    def load(self) -> BatchState | None:
        """Return what the file holds, in whatever state its run is; None where there is none.

        It changes nothing, and takes no lock, but where an older version must be upgraded first.
        A job that `save` knew by its result alone has no more than its id.

        Raises:
            ConfigurationError: if it is no state, or one of a newer version.
            InputError: if a result has what this version does not know.
            StateError: if it cannot be read.
        """
        try:
            header = read_header(self.path) if self.path.exists() else None
            if header is None:
                return None
            if header.version < VERSION:
                open_journal(self.path).close()
            return _loaded(self.path)
        except OSError as error:
            raise STATE.broken(self.path, "Reading", error) from error

    def clear(self, *, abandon: bool = False) -> None:
        """Remove the file, and nothing else: no folder, and no file that is not a state.

        Args:
            abandon: also where remote batches are under way that would be forgotten, and still
                bill, or where the file is damaged.

        Raises:
            ConfigurationError: if the file is something else.
            StateError: if remote batches are under way, or another process has the file open.
        """
        if not self.path.exists():
            return
        lock = PathLock(self.path, STATE)
        try:
            read_header(self.path)
            if not abandon:
                close_held(open_held(self.path, new_header()))
                _refuse_open_chunks(self.path, fold(self.path).state)
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise STATE.broken(self.path, "Removing", error) from error
        finally:
            lock.close()


def _save(journal: Journal, state: BatchState) -> None:
    ended: dict[str, Outcome] = dict.fromkeys(state.failed_jobs, "failed")
    ended |= dict.fromkeys(state.completed_results, "succeeded")
    jobs = [_plain(job) for job in state.pending_jobs]
    journal.add_jobs(jobs, _digests(journal, state))
    bare = [{"id": name} for name in ended if name not in journal.state]
    journal.add_jobs(bare, digest=lambda _: UNKNOWN_DIGEST)
    pending = (job["id"] for job in jobs if job["id"] not in ended)
    journal.write(*_tried_again(journal.state, [*state.completed_results, *pending]))
    journal.keep_results(_results(state), lambda result: ended[result["job_id"]])
    unknown_usd = state.total_cost_usd - journal.state.spent_usd
    if unknown_usd > 0:
        journal.write(Settled(usd=unknown_usd))
    journal.sync()


def _digests(journal: Journal, state: BatchState) -> Callable[[Mapping[str, Any]], str]:
    """Return what tells whether a job is the one that the file has: as a run tells it.

    What is in a job's file is not asked again where the job is as the file has it: that is for the
    run that sends it.
    """
    made = {job.id: job for job in state.pending_jobs if isinstance(job, Job)}

    def digest(told: Mapping[str, Any]) -> str:
        name, held = told["id"], journal.state
        if name in held and job_digest(journal.spec(name)) == job_digest(told):
            return held.digest(name)
        try:
            return digest_of(made.get(name) or Job.from_dict(told))
        except JobError:  # it cannot be made, or its file cannot be read
            return job_digest(told)

    return digest


def _tried_again(state: RunState, job_ids: Iterable[str]) -> Iterator[Resubmitted]:
    """Let jobs that ended without success be those that they were before."""
    for name in job_ids:
        if state.outcome(name) not in (None, "succeeded"):
            yield Resubmitted(job_id=name, attempt=state.attempt(name) + 1)


def _results(state: BatchState) -> Iterator[dict[str, Any]]:
    for name, result in state.completed_results.items():
        yield {**result.to_dict(), "job_id": name}
    for name, error in state.failed_jobs.items():
        yield {"job_id": name, "error": error}


def _loaded(path: Path) -> BatchState:
    folded = fold(path)
    assert folded.header is not None, "it was read before"
    run = folded.state
    state = BatchState(
        batch_id=folded.header.nonce,
        created_at=folded.header.created_at,
        pending_jobs=[_job(spec) for spec in specs_of(path, run, run.unended_ids())],
        total_cost_usd=run.spent_usd,
    )
    for result in results_of(path, run):
        outcome = run.outcome(result["job_id"])
        if outcome is not None:  # else it is tried again, and among the pending ones
            _sort_in(state, result, outcome)
    return state


def _sort_in(state: BatchState, result: dict[str, Any], outcome: Outcome) -> None:
    if outcome == "succeeded":
        state.completed_results[result["job_id"]] = JobResult.from_dict(result)
    else:
        state.failed_jobs[result["job_id"]] = result.get("error") or outcome


def _refuse_open_chunks(path: Path, state: RunState) -> None:
    names = [
        chunk.remote_id or f"chunk {chunk.number}, which may have been accepted"
        for chunk in state.open_chunks.values()
        if chunk.remote_id is not None or chunk.may_be_orphan
    ]
    if names:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise StateError(
            f"The batch state {str(path)!r} knows of remote batches that are not collected: "
            f"{shown}. Collect or cancel them first, or have them forgotten with "
            f"StateManager({str(path)!r}).clear(abandon=True).",
            path,
            "remote batches are under way",
        )


def _other_batch(path: Path, held: str, given: str) -> StateMismatchError:
    return StateMismatchError(
        f"The batch state {str(path)!r} is of the batch {held!r}, and not of {given!r}. Nothing "
        f"was changed: name another file, or clear this one first.",
        path,
        "it is of another batch",
    )


def _job(told: Mapping[str, Any]) -> Job | dict[str, Any]:
    """Return the job of which `Job.to_dict` gave `told`; that itself where none can be made."""
    try:
        return Job.from_dict(told)
    except JobError:
        return dict(told)


def _plain(value: Job | JobResult | Mapping[str, Any]) -> dict[str, Any]:
    """Return a job or a result as JSON has it."""
    return value.to_dict() if isinstance(value, (Job, JobResult)) else dict(value)
