"""What every ledger must do, in whatever form it is kept."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.ledger_keeper import record

import batch_llm.ledger.jsonl
import batch_llm.ledger.jsonl_file
import batch_llm.ledger.sqlite
import batch_llm.ledger.sqlite_schema
from batch_llm import ConfigurationError, LedgerConfig, LedgerError
from batch_llm.ledger import (
    KeptOutput,
    Ledger,
    ResultRecord,
    Settlement,
    identify,
    open_ledger,
    read_ledger,
    request_digest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEEPER = Path(__file__).parents[1] / "ledger_keeper.py"


@pytest.fixture(params=["run.db", "run.jsonl"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


@asynccontextmanager
async def running(path: Path, **settings: Any) -> AsyncIterator[Ledger]:
    async with open_ledger(LedgerConfig(path, **settings)) as ledger:
        await ledger.begin_run("1.2.3")
        yield ledger


def failure(number: int) -> ResultRecord:
    ended = record(number)
    ended.output, ended.error, ended.error_category = None, "OSError: lost", "connection_error"
    return ended


async def test_a_later_run_finds_what_has_succeeded(path: Path) -> None:
    async with running(path) as ledger:
        assert ledger.find(record(1).item) is None
        ended = record(1)
        ended.attempts, ended.duration_seconds, ended.unanswered_calls = 3, 1.5, 1
        ended.usage = {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
        await ledger.keep(ended)
    async with running(path) as ledger:
        kept = ledger.find(record(1).item)
        assert kept is not None
        assert kept.item_id == "item-1"
        assert kept.output == KeptOutput(b'"output 1"')
        assert (kept.attempts, kept.duration_seconds, kept.unanswered_calls) == (3, 1.5, 1)
        assert kept.usage == {"input_tokens": 7, "output_tokens": 2, "total_tokens": 9}
        assert kept.cost_usd == 0.001
        assert ledger.find(record(2).item) is None


async def test_the_next_run_of_one_opening_finds_what_the_run_before_kept(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
        await ledger.end_run({})
        assert await ledger.begin_run("1.2.3") == 2
        assert ledger.find(record(1).item) is not None


@pytest.mark.parametrize(
    "other",
    [
        identify("item-2", request_digest("model", "prompt 1")),
        identify("item-1", request_digest("model", "prompt 2")),
        identify("item-1", request_digest("other model", "prompt 1")),
        identify("item-1", request_digest("model", "prompt 1"), context="mine"),
    ],
    ids=["id", "prompt", "strategy", "context"],
)
async def test_an_item_that_has_changed_is_not_found(path: Path, other: Any) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
    async with running(path) as ledger:
        assert ledger.find(other) is None


async def test_a_failure_is_kept_not_found_and_replaced(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(failure(1))
        await ledger.keep(failure(2))
    async with running(path) as ledger:
        assert ledger.find(record(1).item) is None
        rows = {row.item_id: row for row in ledger.results(outcome="failed")}
        assert rows["item-1"].error == "OSError: lost"
        assert rows["item-1"].error_category == "connection_error"
        assert rows["item-1"].output is None
        await ledger.keep(record(1))
        await ledger.keep(failure(2))
        assert ledger.spent_usd == pytest.approx(0.004)
    async with running(path) as ledger:
        assert ledger.find(record(1).item) is not None
    summary = read_ledger(path).summary()
    assert (summary.succeeded, summary.failed) == (1, 1)
    assert summary.failures == {"connection_error": 1}
    assert summary.spent_usd == pytest.approx(0.004)
    assert [row.item_id for row in read_ledger(path).results(outcome="failed")] == ["item-2"]
    assert [row.outcome for row in read_ledger(path).results()] == ["succeeded", "failed"]


async def test_a_success_is_not_replaced_by_a_failure(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
        await ledger.keep(failure(1))
    async with running(path) as ledger:
        assert ledger.find(record(1).item) is not None
    assert [row.outcome for row in read_ledger(path).results()] == ["succeeded"]


def asked_anew(ended: ResultRecord, prompt: str = "another prompt") -> ResultRecord:
    """Return the end of the item of the same id with another prompt."""
    ended.item = identify(ended.item.item_id, request_digest("model", prompt))
    return ended


def standing(path: Path) -> list[tuple[str, str, int]]:
    return [(row.item_id, row.outcome, row.run) for row in read_ledger(path).results()]


async def test_an_id_stands_as_it_ended_last_whatever_its_prompt_was(path: Path) -> None:
    async with running(path) as ledger:
        for number in (1, 2, 3, 4):
            await ledger.keep(record(number) if number % 2 else failure(number))
    async with running(path) as ledger:
        await ledger.keep(asked_anew(record(2)))
        await ledger.keep(asked_anew(failure(1)))
        await ledger.keep(asked_anew(record(3)))
        # A failure of what has succeeded counts as little as ever.
        await ledger.keep(asked_anew(failure(2)))
    assert standing(path) == [
        ("item-4", "failed", 1),
        ("item-2", "succeeded", 2),
        ("item-1", "failed", 2),
        ("item-3", "succeeded", 2),
    ]
    reader = read_ledger(path)
    assert [row.item_id for row in reader.results(outcome="failed")] == ["item-4", "item-1"]
    assert [row.item_id for row in reader.results(outcome="succeeded")] == ["item-2", "item-3"]
    summary = reader.summary()
    assert (summary.succeeded, summary.failed) == (2, 2)
    assert summary.failures == {"connection_error": 2}
    assert summary.spent_usd == pytest.approx(0.008)


async def test_an_older_identity_of_an_id_is_still_found(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
    async with running(path) as ledger:
        await ledger.keep(asked_anew(failure(1)))
    async with running(path) as ledger:
        assert ledger.find(record(1).item) is not None
        assert ledger.find(asked_anew(record(1)).item) is None
    # A run that has found it writes nothing, and so changes nothing.
    assert standing(path) == [("item-1", "failed", 2)]


async def test_every_end_can_be_read(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(failure(1))
    async with running(path) as ledger:
        await ledger.keep(record(1))
        await ledger.keep(asked_anew(record(1)))
        rows = list(ledger.results(all=True))
    assert [(row.run, row.outcome) for row in rows] == [
        (1, "failed"),
        (2, "succeeded"),
        (2, "succeeded"),
    ]
    same, other = record(1).item.digest, asked_anew(record(1)).item.digest
    assert [row.digest for row in rows] == [same, same, other]
    failed = read_ledger(path).results(outcome="failed", all=True)
    assert [row.run for row in failed] == [1]


async def test_equal_requests_are_answered_by_each_other_where_asked(path: Path) -> None:
    one = record(1)
    async with running(path) as ledger:
        await ledger.keep(one)
        assert ledger.find_answer(one.item.request) is None
    async with running(path, response_cache=True) as ledger:
        found = ledger.find_answer(one.item.request)
        assert found is not None
        assert found.item_id == "item-1"
        assert ledger.find_answer(record(2).item.request) is None
        await ledger.keep(failure(3))
        assert ledger.find_answer(record(3).item.request) is None
        await ledger.keep(record(2))
        assert ledger.find_answer(record(2).item.request) is not None
    async with running(path, response_cache=True) as ledger:
        assert ledger.find_answer(record(2).item.request) is not None


async def test_money_is_reserved_settled_and_held_across_runs(path: Path) -> None:
    async with running(path) as ledger:
        calls = [await ledger.reserve(0.25) for _ in range(5)]
        assert len(set(calls)) == 5
        assert ledger.reserved_usd == 1.25
        await ledger.keep(record(1, [Settlement(calls[0], 0.125), Settlement(calls[1], None)]))
        ledger.settle(calls[2], 0.0625)
        ledger.release(calls[3])
        assert (ledger.spent_usd, ledger.held_usd, ledger.reserved_usd) == (0.1875, 0.25, 0.25)
    # The last one was never settled.
    summary = read_ledger(path).summary()
    assert (summary.spent_usd, summary.held_usd, summary.held_calls) == (0.1875, 0.5, 2)
    async with running(path) as ledger:
        assert (ledger.spent_usd, ledger.held_usd, ledger.reserved_usd) == (0.1875, 0.5, 0.0)
        assert await ledger.reserve(0.25) not in (calls[1], calls[4])


async def test_only_what_settlements_say_is_spent_where_calls_are_reserved(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1, []))
        assert ledger.spent_usd == 0
        await ledger.keep(record(2))
        assert ledger.spent_usd == 0.001
    assert read_ledger(path).summary().spent_usd == 0.001


async def test_tokens_are_those_of_calls_that_were_made(path: Path) -> None:
    def using(ended: ResultRecord, tokens: int) -> ResultRecord:
        ended.usage = {"input_tokens": tokens, "output_tokens": 1, "total_tokens": tokens + 1}
        return ended

    async with running(path) as ledger:
        assert read_ledger(path).summary().usage["total_tokens"] == 0
        remembered = using(record(3), 1000)
        remembered.settlements, remembered.counts_tokens = (), False
        await asyncio.gather(
            ledger.keep(using(failure(1), 1)),
            ledger.keep(using(record(2), 10)),
            ledger.keep(remembered),
        )
        # Under a cap its calls have been settled one by one: they were made all the same.
        capped = using(record(4), 100)
        capped.settlements, capped.usage["cached_input_tokens"] = (), 64
        await ledger.keep(capped)
    async with running(path) as ledger:
        await ledger.keep(using(record(1), 10_000))
        await ledger.keep(asked_anew(using(record(2), 100_000)))
    assert read_ledger(path).summary().usage == {
        "input_tokens": 110_111,
        "output_tokens": 5,
        "total_tokens": 110_116,
        "cached_input_tokens": 64,
    }
    rows = {row.item_id: row.usage["input_tokens"] for row in read_ledger(path).results()}
    assert rows["item-3"] == 1000


async def test_why_an_answer_ended_is_kept(path: Path) -> None:
    cut = record(1)
    cut.finish_reason = "length"
    async with running(path) as ledger:
        await asyncio.gather(ledger.keep(cut), ledger.keep(record(2)))
    async with running(path, response_cache=True) as ledger:
        found = [ledger.find(record(number).item) for number in (1, 2)]
        assert [kept and kept.finish_reason for kept in found] == ["length", None]
        answer = ledger.find_answer(cut.item.request)
        assert answer is not None
        assert answer.finish_reason == "length"
        assert [row.finish_reason for row in ledger.results()] == ["length", None]


async def test_a_call_is_settled_once_and_for_a_finite_sum(path: Path) -> None:
    async with running(path) as ledger:
        number = await ledger.reserve(1.0)
        for usd in (-0.5, float("nan"), float("inf")):
            with pytest.raises(ValueError, match="finite"):
                ledger.settle(number, usd)
        with pytest.raises(ValueError, match="once"):
            await ledger.keep(record(1, [Settlement(number, 0.0), Settlement(number, 0.0)]))
        ledger.hold(number)
        with pytest.raises(ValueError, match="settled already"):
            ledger.settle(number, 0.5)
        with pytest.raises(ValueError, match="settled already"):
            await ledger.keep(record(1, [Settlement(number, 0.0)]))
    assert list(read_ledger(path).results()) == []


async def test_a_cancelled_waiter_loses_nothing_and_keeps_no_one_waiting(path: Path) -> None:
    async with running(path) as ledger:

        async def keep(number: int) -> None:
            await ledger.keep(record(number))

        tasks = [asyncio.create_task(keep(number)) for number in range(5)]
        await asyncio.sleep(0)
        tasks[2].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends].count(asyncio.CancelledError) == 1
    assert read_ledger(path).summary().succeeded == 5


async def test_a_cancelled_reservation_is_given_back(path: Path) -> None:
    async with running(path) as ledger:
        task = asyncio.create_task(ledger.reserve(1.0))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ledger.reserved_usd == 0
    assert read_ledger(path).summary().held_usd == 0


async def test_runs_are_listed_with_what_they_counted(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
        await ledger.end_run({"succeeded": 1})
        with pytest.raises(RuntimeError, match="begin_run"):
            ledger.keep(record(2))
    async with running(path):
        first, second = read_ledger(path).summary().runs
    assert (first.number, first.pid, first.version) == (1, os.getpid(), "1.2.3")
    assert first.counts == {"succeeded": 1}
    assert first.ended_at is not None
    assert first.ended_at >= first.started_at
    assert (second.number, second.ended_at) == (2, None)


async def test_it_can_be_read_while_it_is_written(path: Path) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
        code = (
            f"from batch_llm.ledger import *; print(read_ledger({str(path)!r}).summary().succeeded)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        assert done.stdout == "1\n"


async def test_one_process_has_it_at_a_time(path: Path) -> None:
    code = (
        "from batch_llm import *; from batch_llm.ledger import *; "
        f"open_ledger(LedgerConfig({str(path)!r}))"
    )
    async with running(path):
        with pytest.raises(LedgerError, match="in use by another run of this process"):
            open_ledger(LedgerConfig(path))
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert f"The ledger {str(path)!r} is in use by the process {os.getpid()}." in done.stderr
    subprocess.run([sys.executable, "-c", code], check=True)
    async with running(path):
        pass


async def test_two_names_of_one_file_are_one_ledger(path: Path) -> None:
    async with running(path):
        other = path.with_name(f"other{path.suffix}")
        other.symlink_to(path)
        with pytest.raises(LedgerError, match="in use"):
            open_ledger(LedgerConfig(other))


@pytest.mark.parametrize("umask", [0, 0o777])
async def test_all_its_files_are_private(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        async with running(path) as ledger:
            await ledger.keep(record(1))
            files = list(path.parent.iterdir())
            assert len(files) == (4 if path.suffix == ".db" else 2)
            modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(modes, 0o600)


async def test_without_prompts_no_file_has_a_byte_of_one(path: Path) -> None:
    ended = record(1)
    ended.prompt_text = "a most private prompt"
    async with running(path, store_prompts=False) as ledger:
        await ledger.keep(ended)
        for file in path.parent.iterdir():
            assert b"private" not in file.read_bytes()
        assert [row.prompt for row in ledger.results()] == [None]
    for file in path.parent.iterdir():
        assert b"private" not in file.read_bytes()


async def test_prompts_are_kept_as_text(path: Path) -> None:
    ended = record(1)
    ended.prompt_text = "café\nau lait\0 \ud800"
    async with running(path) as ledger:
        await ledger.keep(ended)
        assert [row.prompt for row in ledger.results()] == ["café\nau lait\0 \\ud800"]


def test_what_cannot_be_a_ledger_is_refused_and_left_alone(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a directory"):
        open_ledger(LedgerConfig(tmp_path))
    with pytest.raises(ConfigurationError, match="does not exist; create it first"):
        open_ledger(LedgerConfig(tmp_path / "missing" / path.name))
    for content in (b"id,prompt\n1,hello\n", b"not a line", b"SQLite format 3\0" + b"x" * 99):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match="is no ledger"):
            open_ledger(LedgerConfig(path))
        with pytest.raises(ConfigurationError, match="is no ledger"):
            read_ledger(path)
        assert path.read_bytes() == content
    path.unlink()
    with pytest.raises(ConfigurationError, match="There is no ledger"):
        read_ledger(path)
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        open_ledger(LedgerConfig(path))


def test_a_database_of_someone_else_is_no_ledger(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (value)")
    connection.close()
    with pytest.raises(ConfigurationError, match="is no ledger"):
        open_ledger(LedgerConfig(path))


@pytest.mark.parametrize("part", ["file", "directory"])
async def test_what_may_not_be_written_is_refused(
    path: Path, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests may run as root, who may write everything: the system's answer is played."""
    async with running(path):
        pass
    forbidden = path if part == "file" else path.parent
    monkeypatch.setattr("os.access", lambda place, _: Path(place) != forbidden)
    with pytest.raises(ConfigurationError, match="may not be written"):
        open_ledger(LedgerConfig(path))


async def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.touch()
    async with running(path) as ledger:
        await ledger.keep(record(1))
    assert read_ledger(path).summary().succeeded == 1


@pytest.mark.parametrize("durability", ["process", "power"])
async def test_each_group_is_on_the_disk_where_power_may_fail(
    path: Path, durability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(path, durability=durability) as ledger:
        if isinstance(ledger._store, batch_llm.ledger.sqlite.SqliteStore):
            (level,) = ledger._store._writing.execute("PRAGMA synchronous").fetchone()
            assert level == {"process": 1, "power": 2}[durability]
            return
        synced: list[int] = []
        monkeypatch.setattr("os.fsync", synced.append)
        await asyncio.gather(*(ledger.keep(record(number)) for number in range(9)))
        await ledger.keep(record(9))
        assert len(synced) == {"process": 0, "power": 2}[durability]


def test_a_loop_that_ends_in_the_middle_loses_nothing(path: Path) -> None:
    async def begin() -> Ledger:
        ledger = open_ledger(LedgerConfig(path))
        await ledger.begin_run("1.2.3")
        await ledger.keep(record(1))
        await asyncio.wait([asyncio.ensure_future(ledger.keep(record(2)))])
        return ledger

    loop = asyncio.new_event_loop()
    ledger = loop.run_until_complete(begin())
    # What was given in the last turn of a loop that never turns again.
    loop.call_soon(ledger.keep, record(3))
    loop.call_soon(loop.stop)
    loop.run_forever()
    loop.close()

    async def go_on() -> None:
        with pytest.raises(RuntimeError, match="event loop that used it first"):
            await ledger.begin_run("1.2.3")
        await ledger.aclose()

    asyncio.run(go_on())
    assert read_ledger(path).summary().succeeded == 3


async def test_a_directory_that_may_not_be_written_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
    monkeypatch.setattr("os.access", lambda *_: False)
    assert read_ledger(path).summary().succeeded == 1
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


# -- failed writes


async def test_after_a_failed_write_nothing_is_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[int] = []
    is_full = False

    def limited(write: Any) -> Any:
        def write_or_not(store: Any, entries: Any) -> None:
            if is_full:
                raise OSError(28, "No space left on device")
            written.append(len(entries))
            write(store, entries)

        return write_or_not

    for store in (batch_llm.ledger.jsonl.JsonlStore, batch_llm.ledger.sqlite.SqliteStore):
        monkeypatch.setattr(store, "write", limited(store.write))
    async with running(path) as ledger:
        await ledger.keep(record(1))
        is_full = True
        waits = [ledger.keep(record(number)) for number in (2, 3)]
        ends = await asyncio.gather(*waits, return_exceptions=True)
        is_full = False
        for end in ends:
            assert isinstance(end, LedgerError)
            assert end.path == path
            assert end.reason == "No space left on device"
            assert str(end) == f"Writing the ledger {str(path)!r} failed: No space left on device."
        assert ends[0] is not ends[1]
        with pytest.raises(LedgerError, match="No space left"):
            ledger.keep(record(4))
        with pytest.raises(LedgerError, match="No space left"):
            await ledger.reserve(0.5)
    assert written == [1, 1]
    assert [row.item_id for row in read_ledger(path).results()] == ["item-1"]


async def test_a_failure_that_no_one_waits_for_is_told_at_the_end(path: Path) -> None:
    ledger = open_ledger(LedgerConfig(path))
    await ledger.begin_run("1.2.3")
    number = await ledger.reserve(0.5)
    path.rename(path.with_name("elsewhere"))
    ledger.settle(number, 0.25)
    with pytest.raises(LedgerError, match="removed or replaced"):
        await ledger.aclose()
    await ledger.aclose()


async def test_a_file_that_is_removed_is_noticed(path: Path) -> None:
    async with running(path) as ledger:
        path.unlink()
        with pytest.raises(LedgerError, match="removed or replaced while in use"):
            await ledger.keep(record(1))


@pytest.mark.parametrize("size", [60_000, 200_000])
async def test_a_full_disk_is_said_and_loses_nothing_that_was_durable(
    path: Path, size: int
) -> None:
    command = [sys.executable, str(KEEPER), str(path), "0", str(size)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    *durable, error = done.stdout.splitlines()
    assert error.startswith(f"Writing the ledger {str(path)!r} failed: ")
    assert len(durable) >= 20
    async with running(path) as ledger:
        for number in durable:
            assert ledger.find(record(int(number)).item) is not None
        await ledger.keep(record(10_000_000))


# -- kills


@pytest.mark.timeout(300)
async def test_nothing_durable_is_lost_when_the_process_is_killed(path: Path) -> None:
    chance = random.Random(path.suffix)
    durable: list[int] = []
    for _ in range(8):
        first = 1 + max(durable, default=-1) + 100
        command = [sys.executable, str(KEEPER), str(path), str(first)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 1500)):
                durable.append(int(process.stdout.readline()))
            process.send_signal(signal.SIGKILL)
            # Those that were said before it died.
            durable += [int(line) for line in process.stdout if line.endswith(b"\n")]
        async with running(path) as ledger:
            lost = [number for number in durable if ledger.find(record(number).item) is None]
            assert lost == []
            assert ledger.spent_usd >= 0.001 * len(durable) - 1e-6
            assert ledger.held_usd <= 8 * 20 * 0.01 + 1e-6
    summary = read_ledger(path).summary()
    assert summary.spent_usd == pytest.approx(0.001 * summary.succeeded)
    assert summary.succeeded - len(durable) <= 8 * 20


# -- JSONL alone: lines may be torn


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.mark.parametrize("name", ["run.JSONL", "run.Jsonl", "run.ndjson", "run.NDJSON"])
async def test_the_suffix_of_lines_may_be_written_in_any_case(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    async with running(path) as ledger:
        await ledger.keep(record(1))
    assert json.loads(path.read_bytes().splitlines()[0])["kind"] == "ledger"
    assert read_ledger(path).summary().succeeded == 1


async def test_a_torn_last_line_is_cut_off(lines: Path) -> None:
    async with running(lines) as ledger:
        await ledger.keep(record(1))
    whole = lines.read_bytes()
    for torn in (b'{"kind":"result","item_id":"it', b'{"kind"', b"{", b"x" * 200_000):
        lines.write_bytes(whole + torn)
        assert read_ledger(lines).summary().succeeded == 1
        await open_ledger(LedgerConfig(lines)).aclose()
        assert lines.read_bytes() == whole


async def test_a_first_line_that_is_torn_is_written_anew(lines: Path) -> None:
    lines.write_bytes(b'{"kind":"ledger","for')
    async with running(lines) as ledger:
        await ledger.keep(record(1))
    assert read_ledger(lines).summary().succeeded == 1


async def test_a_damaged_line_in_the_middle_is_named(lines: Path) -> None:
    async with running(lines) as ledger:
        for number in range(3):
            await ledger.keep(record(number))
    content = lines.read_bytes().splitlines(keepends=True)
    content[3] = content[3][:20] + b"\n"
    lines.write_bytes(b"".join(content))
    with pytest.raises(LedgerError, match="Line 4 of the ledger"):
        open_ledger(LedgerConfig(lines))
    assert lines.read_bytes() == b"".join(content)
    with pytest.raises(LedgerError, match="Line 4 of the ledger"):
        read_ledger(lines).summary()


# -- versions


async def test_a_newer_version_is_refused(path: Path) -> None:
    async with running(path):
        pass
    set_version(path, 99)
    content = path.read_bytes()
    for look in (lambda: open_ledger(LedgerConfig(path)), lambda: read_ledger(path)):
        with pytest.raises(ConfigurationError, match="newer batch-llm: it has version 99"):
            look()
    assert path.read_bytes() == content


async def test_an_older_version_is_upgraded_wholly_or_not_at_all(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(path) as ledger:
        await ledger.keep(record(1))
    content = path.read_bytes()
    with monkeypatch.context() as patch:
        let_there_be_a_next_version(patch, breaks=True)
        with pytest.raises((LedgerError, ZeroDivisionError)):
            open_ledger(LedgerConfig(path))
    assert read_ledger(path).summary().succeeded == 1
    assert path.suffix == ".db" or path.read_bytes() == content
    let_there_be_a_next_version(monkeypatch, breaks=False)
    with pytest.raises(ConfigurationError, match="older version"):
        read_ledger(path)
    async with running(path) as ledger:
        kept = ledger.find(record(1).item)
        assert kept is not None
        assert kept.item_id == "upgraded"
    assert {file.name for file in path.parent.iterdir()} <= {path.name, f"{path.name}.lock"}


def set_version(path: Path, version: int) -> None:
    if path.suffix == ".jsonl":
        header, *rest = path.read_bytes().splitlines(keepends=True)
        changed = json.dumps({**json.loads(header), "version": version}).encode() + b"\n"
        path.write_bytes(b"".join([changed, *rest]))
        return
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()


def let_there_be_a_next_version(patch: pytest.MonkeyPatch, *, breaks: bool) -> None:
    """Add a step that renames every item, or fails in the middle of it."""

    def step(line: dict[str, Any]) -> dict[str, Any]:
        if line["kind"] == "result":
            line["item_id"] = str(1 // 0) if breaks else "upgraded"
        return line

    rename = "UPDATE results SET item_id = 'upgraded'" + ("; UPDATE nothing SET x = 1" * breaks)
    steps = (*batch_llm.ledger.sqlite_schema.STEPS[:1], rename)
    patch.setattr("batch_llm.ledger.sqlite_schema.STEPS", steps)
    patch.setattr("batch_llm.ledger.reader.STEPS", steps)
    patch.setitem(batch_llm.ledger.jsonl_file.UPGRADES, 1, step)
    patch.setattr("batch_llm.ledger.jsonl_file.VERSION", 2)
    patch.setattr("batch_llm.ledger.reader.VERSION", 2)


def test_rows_of_a_user_are_no_ledger(tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"id": 1, "text": "mine"}\n{"id": 2, "text": "mine too"}\n')
    for look in (lambda: read_ledger(rows), lambda: open_ledger(LedgerConfig(rows))):
        with pytest.raises(ConfigurationError, match="is no ledger"):
            look()
    assert rows.read_text().count("mine") == 2
