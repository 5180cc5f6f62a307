"""A run goes on with its own state, wherever its program is by then, or not at all."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.batch_lane import Provider
from tests.batch_lane import batch_of as empty_batch

from batch_llm.batch.state.state import StateManager
from batch_llm.exceptions import ConfigurationError, ServerError, StateError
from batch_llm.providers import MockBatchClient

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from batch_llm.batch import Batch, BatchRun

MOCK: Final = Provider("mock", "mock:gpt-4o-mini")
JOBS: Final = 3


def failing_client() -> MockBatchClient:
    """Return one that fails the first of the jobs."""
    return MockBatchClient({"job 0": ServerError("It failed.", status_code=500)})


def batch_in(state: Path | str | None, client: MockBatchClient, **settings: Any) -> Batch:
    batch = empty_batch(MOCK, client, state_file=state, **settings)
    for n in range(JOBS):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return batch


def sent(client: MockBatchClient) -> list[str]:
    """Return the ids of all jobs that were submitted, as often as they were."""
    return sorted(line.custom_id for batch in client.batches.values() for line in batch.lines)


def files_in(folder: Path) -> dict[str, bytes | None]:
    """Return what is below a folder; locks, which every run leaves, are named alone."""
    return {
        str(file.relative_to(folder)): None if file.suffix == ".lock" else file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file()
    }


@pytest.fixture
def client() -> MockBatchClient:
    return failing_client()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "kept"
    folder.mkdir()
    return folder / "state.jsonl"


@pytest.fixture
def run(state: Path, client: MockBatchClient) -> BatchRun:
    """A run that has ended, of whose three jobs one has failed; it would succeed now."""
    run = batch_in(state, client).run(wait=True)
    assert (run.status().succeeded, run.status().failed) == (2, 1)
    client.set_answer("job 0", "now it does")
    return run


# -- wherever the program is


@pytest.mark.parametrize("moves_before", ["run", "going on"])
def test_a_run_stays_with_its_files_where_the_program_goes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: MockBatchClient, moves_before: str
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    monkeypatch.chdir(one)
    batch = batch_in("state.jsonl", client, results_dir="out")
    if moves_before == "run":
        monkeypatch.chdir(two)
    run = batch.run(wait=True)
    monkeypatch.chdir(two)
    client.set_answer("job 0", "now it does")
    run.retry_failed().wait()
    assert run.status().succeeded == JOBS
    assert sent(client) == ["job 0", "job 0", "job 1", "job 2"]
    assert batch.run(wait=True).status().succeeded == JOBS
    assert len(sent(client)) == JOBS + 1
    assert not list(two.iterdir())
    assert len(list((one / "out").iterdir())) == JOBS
    run.export("jsonl", "all.jsonl")
    assert [file.name for file in two.iterdir()] == ["all.jsonl"]


def test_the_paths_of_a_batch_are_told_as_they_were_given(client: MockBatchClient) -> None:
    params = batch_in("state.jsonl", client, results_dir="./out").params
    assert (params.state_file, params.results_dir) == ("state.jsonl", "./out")


def test_a_path_that_leads_nowhere_is_refused_when_the_batch_is_made(
    client: MockBatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigurationError, match=r"state_file .~nobody-of-that-name/s.*absolute"):
        batch_in("~nobody-of-that-name/s", client)

    def gone() -> str:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(os, "getcwd", gone)
    with pytest.raises(ConfigurationError, match="results_dir 'out' leads nowhere"):
        batch_in(None, client, results_dir="out")


# -- or not at all


def remove(state: Path) -> None:
    state.unlink()


def remove_folder(state: Path) -> None:
    shutil.rmtree(state.parent)


def begin_anew(state: Path) -> None:
    batch_in(state, failing_client(), reuse_state=False).run(wait=True)


def empty(state: Path) -> None:
    state.write_bytes(b"")


def cut(state: Path) -> None:
    os.truncate(state, state.stat().st_size - 1)


def put_an_older_copy_back(state: Path) -> None:
    lines = state.read_bytes().splitlines(keepends=True)
    remove(state)
    # As it was before anything was sent.
    state.write_bytes(b"".join(line for line in lines[: 1 + JOBS]))


def put_a_folder_there(state: Path) -> None:
    remove(state)
    state.mkdir()


def stream(run: BatchRun) -> object:
    async def results() -> list[object]:
        return [result async for result in run.stream()]

    return asyncio.run(results())


LOST: Final = {
    remove: "is gone",
    remove_folder: "is gone",
    begin_anew: "not that of this run any longer",
    empty: "not that of this run any longer",
    cut: "lacks what this run has written",
    put_an_older_copy_back: "lacks what this run has written",
    put_a_folder_there: "Is a directory",
}
USES: Final[dict[str, Callable[[BatchRun], object]]] = {
    "retry_failed": lambda run: run.retry_failed(),
    "resubmit_expired": lambda run: run.resubmit_expired(),
    "resubmit_cancelled": lambda run: run.resubmit_cancelled(),
    "results": lambda run: run.results(),
    "stream": stream,
}


@pytest.mark.parametrize("lose", LOST, ids=lambda lose: lose.__name__)
def test_a_run_whose_state_is_lost_sends_nothing_and_puts_nothing_in_its_place(
    tmp_path: Path, run: BatchRun, state: Path, client: MockBatchClient, lose: Any
) -> None:
    (tmp_path / "all.jsonl").write_text("as it was")
    lose(state)
    before, submitted = files_in(tmp_path), sent(client)
    uses = {**USES, "export": lambda run: run.export("jsonl", tmp_path / "all.jsonl")}
    for name, use in uses.items():
        with pytest.raises(StateError, match=LOST[lose]) as caught:
            use(run)
        assert (str(state) in str(caught.value), caught.value.path) == (True, state), name
        assert run.has_ended(), name
    assert files_in(tmp_path) == before
    assert sent(client) == submitted
    assert run.status().succeeded == 2


def test_a_run_goes_on_once_its_state_is_back(
    run: BatchRun, state: Path, client: MockBatchClient
) -> None:
    content = state.read_bytes()
    state.unlink()
    with pytest.raises(StateError, match="Put the file back, and the run can go on"):
        run.retry_failed()
    state.write_bytes(content)
    assert len(run.results()) == JOBS
    assert run.retry_failed().wait()
    assert run.status().succeeded == JOBS
    assert len(sent(client)) == JOBS + 1


def test_a_run_goes_on_with_what_another_has_added(
    run: BatchRun, state: Path, client: MockBatchClient
) -> None:
    other = batch_in(state, client).run(wait=True)
    other.retry_failed().wait()
    run.retry_failed().wait()
    assert run.status().succeeded == JOBS
    assert run.results() == other.results()
    assert len(sent(client)) == JOBS + 1


def test_a_run_that_has_begun_anew_goes_on_with_what_it_has_begun(
    run: BatchRun, state: Path, client: MockBatchClient
) -> None:
    client.set_answer("job 0", ServerError("It failed.", status_code=500))
    anew = batch_in(state, client, reuse_state=False).run(wait=True)
    client.set_answer("job 0", "now it does")
    before = len(sent(client))
    anew.retry_failed().wait()
    assert anew.status().succeeded == JOBS
    assert len(sent(client)) == before + 1
    with pytest.raises(StateError, match="not that of this run any longer"):
        run.results()


def test_a_state_that_goes_while_it_is_used_ends_the_run_which_sends_nothing_again(
    state: Path,
) -> None:
    client = MockBatchClient(delays=lambda _: 3_600.0)
    run = batch_in(state, client).run()
    until_created(run)
    state.unlink()
    with suppress(StateError):  # or the run has ended by then
        run.cancel(wait=False)
    with pytest.raises(StateError, match="removed or replaced"):
        run.wait()
    with pytest.raises(StateError, match="is gone"):
        run.resubmit_cancelled()
    assert len(sent(client)) == JOBS
    assert not state.exists()


@pytest.mark.parametrize("lose", [remove, begin_anew], ids=lambda lose: lose.__name__)
def test_a_run_that_has_left_batches_cancels_none_by_another_state(
    tmp_path: Path, state: Path, lose: Any
) -> None:
    client = MockBatchClient(delays=lambda _: 3_600.0)
    run = batch_in(state, client).run()
    until_created(run)
    run.shutdown(wait_for_active=False)
    if lose is begin_anew:
        StateManager(state).clear(abandon=True)
    lose(state)
    before = files_in(tmp_path)
    with pytest.raises(StateError, match=LOST[lose]):
        run.cancel()
    assert files_in(tmp_path) == before


def test_a_state_of_no_name_that_is_gone_is_not_begun_anew(
    tmp_path: Path, client: MockBatchClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = batch_in(None, client).run(wait=True)
    (folder,) = tmp_path.iterdir()
    kept = shutil.move(folder, tmp_path / "kept")
    for use in USES.values():
        with pytest.raises(StateError, match="is gone"):
            use(run)
    shutil.move(kept, folder)
    client.set_answer("job 0", "now it does")
    assert run.retry_failed().wait()
    assert len(sent(client)) == JOBS + 1


def until_created(run: BatchRun) -> None:
    until = time.monotonic() + 30
    while not any(each["state"] == "created" for each in run.status().batches):
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.005)
