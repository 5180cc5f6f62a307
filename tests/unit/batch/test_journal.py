"""The state of a batch run in its file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace
from tests.batch_runs import job, planned, result

import batch_llm.batch.state.journal as journal_module
from batch_llm.batch.running.run_status import status_of
from batch_llm.batch.state.events import (
    Collected,
    Collecting,
    Created,
    Note,
    Resubmitted,
    Settled,
)
from batch_llm.batch.state.journal import (
    Journal,
    job_digest,
    next_step,
    open_again,
    open_journal,
)
from batch_llm.batch.state.run_state import ImpossibleEventError, Step
from batch_llm.batch.state.state import StateManager
from batch_llm.batch.state.state_file import UPGRADES
from batch_llm.exceptions import StateError, StateMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

held_by_any_name = pytest.mark.skipif(
    sys.platform == "win32", reason="a file there is locked by its name alone"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.jsonl"


def succeeded(_: Any) -> Any:
    return "succeeded"


def test_a_second_process_reads_what_the_first_wrote(path: Path) -> None:
    with open_journal(path) as journal:
        nonce = journal.nonce
        assert journal.add_jobs(job(n) for n in range(3)) == 3
        journal.write(planned(0, "job-0", "job-2"), Created(0, "batch_1"))
    with open_journal(path) as journal:
        assert (journal.nonce, list(journal.state.pending_ids())) == (nonce, ["job-1"])
        assert journal.state.chunks[0].remote_id == "batch_1"
        assert list(journal.specs(["job-2", "job-0"])) == [job(2), job(0)]


def test_a_person_can_read_the_file(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        journal.note("Ein Wort")
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert [line["kind"] for line in lines] == ["state", "job", "note"]
    assert lines[0]["format"] == "batch-llm batch state"
    assert lines[1]["spec"] == job(0)


def test_the_file_is_private(path: Path) -> None:
    with open_journal(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_one_process_at_a_time(path: Path) -> None:
    program = (
        "import sys; from batch_llm.batch.state.journal import open_journal; "
        "open_journal(sys.argv[1])"
    )
    with open_journal(path):
        with pytest.raises(StateError, match="another run of this process"):
            open_journal(path)
        other = subprocess.run(
            [sys.executable, "-c", program, path],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert f"in use by the process {os.getpid()}" in other.stderr
    open_journal(path).close()


@held_by_any_name
def test_one_process_at_a_time_whatever_the_name(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        other = path.with_name("the same.jsonl")
        other.hardlink_to(path)
        with path.open("ab") as file:  # the run is in the middle of a line
            file.write(b"{")
        for opens in (open_journal, lambda name: StateManager(name).clear()):
            with pytest.raises(StateError, match="in use by another run, which knows the file by"):
                opens(other)
        assert path.read_bytes().endswith(b"{")
    for name in (other, path):
        open_journal(name).close()


@held_by_any_name
def test_one_process_at_a_time_also_where_the_lock_was_removed(path: Path) -> None:
    with open_journal(path) as journal:
        Path(f"{path}.lock").unlink()
        for opens in (open_journal, lambda name: StateManager(name).clear()):
            with pytest.raises(StateError, match="whose lock beside it was removed"):
                opens(path)
        journal.add_jobs([job(0)])
    with open_journal(path) as journal:
        assert list(journal.state.pending_ids()) == ["job-0"]


@held_by_any_name
def test_a_new_and_an_upgraded_file_are_held_too(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Either is another file than the one that was first opened."""
    for version in (1, 2):
        monkeypatch.setattr("batch_llm.batch.state.state_file.VERSION", version)
        monkeypatch.setitem(UPGRADES, 1, dict)
        with open_journal(path):
            other = path.with_name(f"name {version}")
            other.hardlink_to(path)
            with pytest.raises(StateError, match="another name"):
                open_journal(other)


def test_jobs_added_later_join_and_those_left_out_stay(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0), job(1)])
    with open_journal(path) as journal:
        assert journal.add_jobs([job(1), job(2)]) == 1
        assert list(journal.state.pending_ids()) == ["job-0", "job-1", "job-2"]


def test_changed_jobs_are_named_and_nothing_is_added(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0), job(1)])
        before = path.read_bytes()
        with pytest.raises(StateMismatchError, match="'job-1'") as caught:
            journal.add_jobs([job(9), job(1, prompt="anders"), job(0)])
        assert caught.value.job_ids == ("job-1",)
        assert path.read_bytes() == before


def test_two_jobs_of_one_id_are_refused_unless_they_are_the_same(path: Path) -> None:
    with open_journal(path) as journal:
        assert journal.add_jobs([job(0), job(0)]) == 1
        with pytest.raises(StateMismatchError, match="'job-5'"):
            journal.add_jobs([job(5), job(5, prompt="anders")])


def test_what_makes_a_job_the_same_can_be_told(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)], digest=lambda _: "1" * 32)
        journal.add_jobs([job(0, prompt="anders")], digest=lambda _: "1" * 32)
        with pytest.raises(StateMismatchError):
            journal.add_jobs([job(0)], digest=lambda _: "2" * 32)


def test_the_digest_minds_values_and_neither_order_nor_fields_that_are_none() -> None:
    assert job_digest({"id": "a", "x": 1}) == job_digest({"x": 1, "id": "a", "later": None})
    assert job_digest({"id": "a", "x": 1}) != job_digest({"id": "a", "x": 2})


def half_collected(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs(job(n) for n in range(3))
        journal.write(planned(0, "job-0", "job-1"), Created(0, "batch_1"), Collecting(0))
        assert journal.keep_results([result("job-1")], succeeded, 0) == 1


def test_a_half_collected_chunk_is_collected_again_and_nothing_is_kept_twice(path: Path) -> None:
    half_collected(path)
    with open_journal(path) as journal:
        chunk = journal.state.chunks[0]
        assert (chunk.step, list(journal.state.waiting_ids(chunk))) == (Step.COLLECTING, ["job-0"])
        whole = [result("job-0"), result("job-1", response="later"), result("job-0")]
        assert journal.keep_results(whole, succeeded, 0) == 1
        journal.write(Settled(0.5, 0), Collected(0))
        assert list(journal.results()) == [result("job-1"), result("job-0")]


def test_a_late_result_of_a_job_that_is_elsewhere_by_now_is_passed_over(path: Path) -> None:
    half_collected(path)
    with open_journal(path) as journal:
        journal.write(Resubmitted("job-1", 2))
        assert journal.keep_results([result("job-1")], succeeded, 0) == 0
        assert journal.state.outcome("job-1") is None
        with pytest.raises(ImpossibleEventError, match="no job 'strange'"):
            journal.keep_results([result("strange")], succeeded, 0)


def test_the_last_result_of_a_job_counts(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        journal.keep_results([result("job-0", response="first")], lambda _: "expired")
        journal.write(Resubmitted("job-0", 2))
        # It may not be sent again: until it has ended once more, this is how it did.
        assert list(journal.results()) == [result("job-0", response="first")]
        assert journal.result("job-0") == result("job-0", response="first")
        journal.keep_results([result("job-0", response="second")], succeeded)
        assert list(journal.results()) == [result("job-0", response="second")]
        assert journal.result("job-0") == result("job-0", response="second")


def test_what_stands_before_an_impossible_event_is_written(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        with pytest.raises(ImpossibleEventError):
            journal.write(planned(0, "job-0"), Collected(0), Note("never"))
    with open_journal(path) as journal:
        assert len(journal.state.chunks) == 1
    assert b"never" not in path.read_bytes()


@pytest.mark.parametrize(("durability", "expected"), [("power", 2), ("process", 0)])
def test_steps_are_durable_before_the_next_and_jobs_and_results_are_not_each(
    path: Path, monkeypatch: pytest.MonkeyPatch, durability: Any, expected: int
) -> None:
    with open_journal(path, durability=durability) as journal:
        synced: list[bytes] = []
        monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.read_bytes()))
        journal.add_jobs(job(n) for n in range(3000))
        journal.note("Ein Wort")
        assert synced == []
        journal.write(planned(0, "job-0"))
        assert (b'"nonce-0"' in b"".join(synced[:1])) is (expected > 0)
        journal.write(Created(0, "batch_1"))
        journal.write(Collecting(0))
        journal.keep_results([result("job-0")], succeeded, 0)
        assert len(synced) == expected
        monkeypatch.undo()


def test_what_is_written_is_made_durable_on_demand_while_others_write(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_journal(path) as journal:
        synced: list[bytes] = []

        def fsync(_: int) -> None:
            if not synced:
                synced.append(path.read_bytes())
                writer = threading.Thread(target=journal.note, args=("meanwhile",))
                writer.start()
                writer.join(20)
                assert not writer.is_alive()

        journal.add_jobs([job(0)])
        journal.keep_results([result("job-0")], succeeded)
        monkeypatch.setattr(os, "fsync", fsync)
        journal.sync()
        monkeypatch.undo()
    assert b'"result"' in synced[0]
    assert b"meanwhile" in path.read_bytes()


def test_what_cannot_be_made_durable_ends_the_journal(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: int) -> None:
        raise OSError(5, "Input/output error")

    with open_journal(path) as journal:
        monkeypatch.setattr(os, "fsync", broken)
        with pytest.raises(StateError, match="Input/output error"):
            journal.sync()
        monkeypatch.undo()
        with pytest.raises(StateError, match="Input/output error"):
            journal.note("later")


def test_results_of_some_jobs_come_in_the_order_that_is_wanted(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs(job(n) for n in range(4))
        journal.keep_results((result(f"job-{n}") for n in range(3)), succeeded)
        found = journal.results(["job-2", "job-0"])
        assert [each["job_id"] for each in found] == ["job-2", "job-0"]
        assert [each["job_id"] for each in journal.results()] == ["job-0", "job-1", "job-2"]
        with pytest.raises(ImpossibleEventError, match="'job-3' has never ended"):
            list(journal.results(["job-3"]))


def test_jobs_are_written_in_groups(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_journal(path, durability="process") as journal:
        written: list[int] = []
        write = os.write
        monkeypatch.setattr(os, "write", lambda file, data: written.append(1) or write(file, data))
        journal.add_jobs(job(n) for n in range(3000))
        monkeypatch.undo()
        assert len(written) == 3


def test_after_a_failed_write_nothing_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_journal(path) as journal:

        def full(*_: Any) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StateError, match="No space left on device") as caught:
            journal.add_jobs([job(0)])
        monkeypatch.undo()
        assert (caught.value.path, caught.value.reason) == (path, "No space left on device")
        with pytest.raises(StateError, match="No space left on device"):
            journal.note("later")
    assert path.read_bytes().count(b"\n") == 1


def test_a_file_that_was_removed_while_in_use_is_noticed(path: Path) -> None:
    with open_journal(path) as journal:
        path.unlink()
        with pytest.raises(StateError, match="removed or replaced"):
            journal.note("Ein Wort")


@pytest.mark.parametrize("is_open", [True, False])
def test_nothing_is_read_from_another_state(path: Path, is_open: bool) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        journal.keep_results([result("job-0")], succeeded)
        assert list(journal.results()) == [result("job-0")]
        if not is_open:
            journal.close()
        # Of the same lines, but for the run's name.
        path.write_bytes(path.read_bytes().replace(journal.nonce.encode(), b"0" * 16))
        reads: list[Callable[[], object]] = [
            lambda: journal.spec("job-0"),
            lambda: journal.specs([]),
            lambda: journal.result("job-0"),
            journal.results,
        ]
        for read in reads:
            with pytest.raises(StateError, match="not that of this run any longer"):
                read()


def test_a_journal_is_opened_again_after_a_write_that_failed_in_the_middle(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        write = os.write
        pieces = iter([7])

        def full(file: int, data: Any) -> int:
            for size in pieces:
                return write(file, data[:size])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(StateError, match="No space left on device"):
            journal.add_jobs([job(1)])
        monkeypatch.undo()
    with open_again(journal) as again:
        assert list(again.state.pending_ids()) == ["job-0"]
        again.add_jobs([job(1)])
    with open_again(again) as last:
        assert list(last.specs(["job-0", "job-1"])) == [job(0), job(1)]


def test_a_journal_that_another_replaces_while_it_is_opened_again_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
    open_first = journal_module.open_journal

    def too_late(place: Path) -> Journal:
        place.unlink()
        return open_first(place)

    monkeypatch.setattr(journal_module, "open_journal", too_late)
    with pytest.raises(StateError, match="not that of this run any longer"):
        open_again(journal)
    open_first(path).close()  # nobody holds it


def test_a_closed_journal_refuses(path: Path) -> None:
    journal = open_journal(path)
    journal.close()
    journal.close()
    with pytest.raises(StateError, match="has been closed"):
        journal.note("Ein Wort")


def test_every_step_has_its_next_in_words(path: Path) -> None:
    with open_journal(path) as journal:
        journal.add_jobs([job(0)])
        journal.write(planned(0, "job-0"))
        assert "was accepted" in next_step(journal.state.chunks[0])
        for step in Step:
            journal.state.chunks[0].step = step
            assert next_step(journal.state.chunks[0])


def test_a_state_can_be_looked_at_while_another_thread_writes(path: Path) -> None:
    found = list[float]()
    with open_journal(path, durability="process") as journal:
        journal.add_jobs({"id": f"job-{n}", "prompt": "Hello."} for n in range(400))
        writer = threading.Thread(target=_plan_one_chunk_a_job, args=(journal,))
        writer.start()
        while writer.is_alive():
            with journal.steady() as state:
                found.append(status_of(state).reserved_usd)
        writer.join()
    assert found == sorted(found)
    assert found[-1] <= 400.0


def _plan_one_chunk_a_job(journal: Journal) -> None:
    for number, job_id in enumerate(list(journal.state.job_ids)):
        journal.write(replace(planned(number, job_id), reserved_usd=1.0))
