"""The state of a batch run, kept in a file as it happens."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import msgspec

from ...exceptions import StateError, StateMismatchError
from ...files import PathLock, Place
from ..jobs.digest import UNKNOWN_DIGEST
from .events import JobAdded, Note, ResultKept, encode_line, must_survive
from .run_state import ImpossibleEventError, Step
from .state_file import (
    STATE,
    close_held,
    events,
    events_at,
    fold,
    new_header,
    open_held,
    state_path,
)
from .state_mark import StateMark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TypeAlias

    from .events import Event, Header, Outcome
    from .run_state import ChunkState, RunState

    Durability: TypeAlias = Literal["process", "power"]
    Spec: TypeAlias = Mapping[str, Any]

_Line = TypeVar("_Line", JobAdded, ResultKept)
_GROUP: Final = 1000
_GROUP_BYTES: Final = 1 << 20
_encode_sorted = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Journal:
    """The state of a batch run: `state` in memory, and every event that led to it in a file.

    The file is of JSON lines, which are only ever added, so that an event costs the same however
    many there are. It is private (0600), and locked against any other process. Methods may be
    called from any thread, and take turns; they write, so call them outside an event loop's thread
    where milliseconds matter.

    Open one with `open_journal`.

    Attributes:
        path: the file.
        header: its first line: the nonce of the run, and when it was created.
        state: what the events come to.
        mark: by which the file is known again.
    """

    def __init__(self, path: Path, lock: PathLock, header: Header, durability: Durability) -> None:
        self.path = path
        self._lock = lock
        self._syncs = durability == "power"
        self._fault: StateError | None = None
        # A signal's handler may look at the state in the middle of a write.
        self._writing = threading.RLock()
        file = open_held(path, header)
        try:
            folded = fold(path)
            self.mark = StateMark.of(path, folded.size)
            self._place = Place(path)
        except BaseException:
            close_held(file)
            raise
        assert folded.header is not None, "there is one now"
        self.header, self.state = folded.header, folded.state
        self._file: int | None = file

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def nonce(self) -> str:
        """The name of the run among all others."""
        return self.header.nonce

    @property
    def is_open(self) -> bool:
        """Whether it was not closed yet."""
        return self._file is not None

    def close(self) -> None:
        """Make durable what is written, close the file, and let another have it."""
        with self._writing:
            file, self._file = self._file, None
            if file is None:
                return
            try:
                if self._fault is None and self._syncs:
                    self._guarded(lambda: os.fsync(file))
            finally:
                close_held(file)
                self._lock.close()

    # -- writing

    def write(self, *events: Event) -> None:
        """Let events have happened: they are in the file when this returns.

        Those of which `events.must_survive` names one survive a loss of power too, with all before.

        Raises:
            ImpossibleEventError: if one cannot follow those before it; it and those after it are
                not written.
            StateError: if the file cannot be written; it is never written again then.
        """
        self._write(events)

    def add_jobs(self, jobs: Iterable[Spec], digest: Callable[[Spec], str] | None = None) -> int:
        """Add the jobs that the state does not hold yet; those that it does must be the same.

        Jobs that only the state holds are kept.

        Args:
            jobs: what `Job.to_dict` gives; "id" is the job's id. It is read twice: an iterator is
                held in memory, so give what can be iterated again where there are many.
            digest: 32 hexadecimal digits by which two jobs of one id are the same; by default
                `job_digest`. Files that a job names should count by their content.

        Returns:
            How many were added.

        Raises:
            StateMismatchError: naming jobs that differ from those of the same id; none is added.
            StateError: if the file cannot be written.
        """
        before = len(self.state)
        if isinstance(jobs, Iterator):
            jobs = list(jobs)
        marks = self._marks_of_new(jobs, digest or job_digest)
        for group in _groups(_added(jobs, marks), lambda job: len(memoryview(job.spec))):
            self._write(group)
        return len(self.state) - before

    def keep_results(
        self, results: Iterable[Mapping[str, Any]], outcome: Callable[[Spec], Outcome],
        chunk: int | None = None,
    ) -> int:  # fmt: skip
        """Keep how jobs ended; results of jobs that have ended, or are elsewhere, are passed over.

        They are written in groups. A chunk that was collected in part is collected again whole:
        what is here already is not kept twice.

        Args:
            results: what `JobResult.to_dict` gives; "job_id" is the job's id, and "cost_usd" what
                it cost, or None.
            outcome: tells how a result ended.
            chunk: the chunk that they are of; None where no remote batch answered them.

        Returns:
            How many were kept.

        Raises:
            ImpossibleEventError: for a result of an unknown job.
            StateError: if the file cannot be written.
        """
        before = self.state.ended
        new = self._new_results(results, outcome, chunk)
        for group in _groups(new, lambda kept: len(memoryview(kept.result))):
            self._write(group)
        return self.state.ended - before

    def note(self, text: str) -> None:
        """Leave words for whoever reads the file: no prompt, answer or key."""
        self._write([Note(text=text)])

    def sync(self) -> None:
        """Make durable all that is written; others read and write meanwhile.

        Raises:
            StateError: if the file cannot be written.
        """
        if not self._syncs:
            return
        with self._writing:
            # Of its own, for this one may be closed meanwhile.
            file = os.dup(self._usable())
        try:
            self._guarded(lambda: os.fsync(file))
        finally:
            os.close(file)

    # -- reading

    @contextmanager
    def steady(self) -> Iterator[RunState]:
        """Give the state while no other thread changes it; be quick."""
        with self._writing:
            yield self.state

    def spec(self, job_id: str) -> dict[str, Any]:
        """Return a job as it was added.

        Raises:
            ImpossibleEventError: if there is no such job.
            StateError: as `specs`.
        """
        return next(self.specs([job_id]))

    def specs(self, job_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Yield jobs as they were added, in the order of these ids, one in memory at a time.

        Raises:
            ImpossibleEventError: if there is no such job.
            StateError: if the file cannot be read, or is another by now.
        """
        self.mark.check(self.path)
        return specs_of(self.path, self.state, job_ids)

    def result(self, job_id: str) -> dict[str, Any] | None:
        """Return how a job ended, the last time; None where it never has.

        Raises:
            ImpossibleEventError: if there is no such job.
            StateError: as `results`.
        """
        if self.state.result_place(job_id) is None:
            return None
        return next(self.results([job_id]))

    def results(self, job_ids: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
        """Yield how jobs ended, the last time, one in memory at a time.

        Args:
            job_ids: of jobs that have ended, in the order that is wanted; by default all that
                have, as their results came. Those that are tried again are among them.

        Raises:
            ImpossibleEventError: if there is no such job, or it never ended.
            StateError: if the file cannot be read, or is another by now.
        """
        self.mark.check(self.path)
        if job_ids is None:
            return results_of(self.path, self.state)
        return self._results_of(job_ids)

    # -- inside

    def _results_of(self, job_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
        try:
            for event in events_at(self.path, map(self._result_place, job_ids)):
                assert isinstance(event, ResultKept), "the index leads to results"
                yield _decode(event.result)
        except (OSError, msgspec.DecodeError) as error:
            raise STATE.broken(self.path, "Reading", error) from error

    def _result_place(self, job_id: str) -> int:
        place = self.state.result_place(job_id)
        if place is None:
            raise ImpossibleEventError(f"the job {job_id!r} has never ended")
        return place

    def _marks_of_new(self, jobs: Iterable[Spec], digest: Callable[[Spec], str]) -> dict[str, str]:
        """Return the digests of jobs that the state does not hold, if all others are the same."""
        state, new = self.state, dict[str, str]()
        changed: dict[str, Spec] = {}
        for job in jobs:
            job_id, mark = job["id"], digest(job)
            held = state.digest(job_id) if job_id in state else new.setdefault(job_id, mark)
            if held not in (mark, UNKNOWN_DIGEST):
                changed.setdefault(job_id, job)
        if changed:
            first = next(iter(changed))
            held_first = self.spec(first) if first in state else None
            raise _mismatch(self.path, tuple(changed), _differing(changed[first], held_first))
        return new

    def _new_results(
        self, results: Iterable[Spec], outcome: Callable[[Spec], Outcome], chunk: int | None
    ) -> Iterator[ResultKept]:
        seen = set[str]()
        for result in results:
            job_id = result["job_id"]
            if job_id in seen or not self._awaits(job_id, chunk):
                continue
            seen.add(job_id)
            yield ResultKept(
                job_id=job_id,
                outcome=outcome(result),
                chunk=chunk,
                cost_usd=result.get("cost_usd"),
                result=msgspec.Raw(msgspec.json.encode(result)),
            )

    def _awaits(self, job_id: str, chunk: int | None) -> bool:
        if chunk is None:
            return self.state.outcome(job_id) is None
        where = self.state.chunk_of(job_id)
        return where is not None and where.number == chunk

    def _write(self, events: Iterable[Event]) -> None:
        is_durable = False
        try:
            with self._writing:
                file = self._usable()
                lines, place = list[bytes](), self.mark.size
                try:
                    for event in events:
                        line = encode_line(event) + b"\n"
                        self.state.apply(event, place)
                        lines.append(line)
                        place += len(line)
                        is_durable = is_durable or must_survive(event)
                finally:
                    # What memory has taken is written, whatever the next event is.
                    written = b"".join(lines)
                    self._guarded(lambda: self._put(file, written))
                    self.mark = self.mark.then(written)
        finally:
            if is_durable:
                self.sync()

    def _usable(self) -> int:
        if self._fault is not None:
            raise self._fault
        if self._file is None:
            reason = "it has been closed"
            raise StateError(f"The batch state {str(self.path)!r}: {reason}.", self.path, reason)
        return self._file

    def _put(self, file: int, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[os.write(file, left) :]
        self._place.check()

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except OSError as error:
            fault = STATE.broken(self.path, "Writing", error)
            assert isinstance(fault, StateError), "so are the errors of its kind"
            self._fault = fault
            raise fault from error


def open_journal(
    path: str | Path,
    *,
    durability: Durability = "power",
    nonce: str | None = None,
    created_at: str | None = None,
) -> Journal:
    """Return the state kept at `path`, for this process alone; create it where there is none.

    Args:
        path: the file, or a folder that is there: then `batch_state.jsonl` in it.
        durability: what an intent, a remote id and the end of a chunk survive before the next step
            is taken: "power" the loss of it, at some milliseconds of fsync for each of these
            (a handful a chunk, none a job); "process" the end of this process at any instant.
        nonce: the name of a new run; by default a random one.
        created_at: when a new run was created, in ISO 8601; by default now.

    Raises:
        ConfigurationError: if there can be no file there, or it is something else, or a newer one.
        StateError: if another has it open, or it cannot be read or written.
    """
    place = state_path(path)
    STATE.check_writable(place, reader="StateManager.load")
    lock = PathLock(place, STATE)
    try:
        return Journal(place, lock, new_header(nonce=nonce, created_at=created_at), durability)
    except OSError as error:
        lock.close()
        raise STATE.broken(place, "Opening", error) from error
    except BaseException:
        lock.close()
        raise


def open_again(closed: Journal) -> Journal:
    """Return a state that was closed, for this process alone, if its file is the same yet.

    Another process may have gone on with it meanwhile.

    Raises:
        ConfigurationError: if it may not be written any longer.
        StateError: if it is gone, or another: nothing is put in its place, or beside it; or as
            `open_journal`.
    """
    closed.mark.check(closed.path)
    journal = open_journal(closed.path)
    try:
        # Once more, for only now may nobody else write it.
        closed.mark.check(closed.path)
    except BaseException:
        journal.close()
        raise
    return journal


def specs_of(path: Path, state: RunState, job_ids: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield jobs as they were added, in the order of these ids.

    Raises:
        ImpossibleEventError: if there is no such job.
        StateError: if the file cannot be read.
    """
    try:
        for event in events_at(path, map(state.spec_place, job_ids)):
            assert isinstance(event, JobAdded), "the index leads to jobs"
            yield _decode(event.spec)
    except (OSError, msgspec.DecodeError) as error:
        raise STATE.broken(path, "Reading", error) from error


def results_of(path: Path, state: RunState) -> Iterator[dict[str, Any]]:
    """Yield the last result of each job that has one, as the file has them.

    Jobs that are tried again are among them.

    Raises:
        StateError: if the file cannot be read.
    """
    try:
        for place, event in events(path):
            if isinstance(event, ResultKept) and state.result_place(event.job_id) == place:
                yield _decode(event.result)
    except (OSError, msgspec.DecodeError) as error:
        raise STATE.broken(path, "Reading", error) from error


def job_digest(job: Spec) -> str:
    """Return 32 hexadecimal digits that stand for what is asked of the model.

    A field that is None counts as one that is not there, so that a later version of this package,
    whose jobs have more fields, knows older jobs again.
    """
    content = _encode_sorted({name: value for name, value in job.items() if value is not None})
    return hashlib.blake2b(content, digest_size=16).hexdigest()


def next_step(chunk: ChunkState) -> str:
    """Return what is to do next for a chunk, in words for people."""
    return _NEXT[chunk.step]


_NEXT: Final = {
    Step.PLANNED: "find out whether it was accepted, else submit it",
    Step.UPLOADED: "find out whether it was accepted, else submit it",
    Step.REFUSED: "submit it again",
    Step.CREATED: "poll",
    Step.ENDED: "collect its results",
    Step.COLLECTING: "collect the rest of its results",
    Step.COLLECTED: "nothing",
    Step.RELEASED: "nothing",
}


def _added(jobs: Iterable[Spec], marks: dict[str, str]) -> Iterator[JobAdded]:
    for job in jobs:
        mark = marks.pop(job["id"], None)
        if mark is not None:
            yield JobAdded(id=job["id"], digest=mark, spec=msgspec.Raw(msgspec.json.encode(job)))


def _groups(events: Iterable[_Line], size: Callable[[_Line], int]) -> Iterator[list[_Line]]:
    """Yield events in lists of some thousand, or some million bytes."""
    group, bytes_in_group = list[_Line](), 0
    for event in events:
        group.append(event)
        bytes_in_group += size(event)
        if len(group) >= _GROUP or bytes_in_group >= _GROUP_BYTES:
            yield group
            group, bytes_in_group = [], 0
    if group:
        yield group


def _differing(job: Spec, held: Spec | None) -> list[str]:
    """Return the fields in which a job differs from the one of its id that the state holds.

    Where they are the same, what counts by its content has changed: the fields of a model, or a
    file. None are told of a job that the state does not hold yet.
    """
    if held is None:
        return []
    now: Spec = _decode(msgspec.json.encode(job))
    names = [name for name in now if now[name] != held.get(name)]
    return names or [name for name in ("file", "response_model") if now.get(name) is not None]


def _mismatch(path: Path, job_ids: tuple[str, ...], fields: list[str]) -> StateMismatchError:
    shown = ", ".join(map(repr, job_ids[:10]))
    more = f" and {len(job_ids) - 10} more" if len(job_ids) > 10 else ""
    first = next(iter(job_ids), "")
    where = f" ({first!r} differs in {' or '.join(fields)})" if fields else ""
    return StateMismatchError(
        f"The batch state {str(path)!r} holds other jobs under the ids {shown}{more}{where}. "
        f"Nothing was changed: give changed jobs new ids, or name another state file.",
        path,
        "jobs differ",
        job_ids,
    )
