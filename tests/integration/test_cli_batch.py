"""`batch-llm batch`, as a program of its own, against the simulator."""

from __future__ import annotations

import csv
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.batch_lane import Provider

from batch_llm.batch.state.state_file import fold
from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FAST = 10_000
SLOW = 0.001
PATIENCE_SECONDS = 60


PROVIDERS = [
    Provider("openai", "openai:gpt-4o-mini"),
    Provider("anthropic", "claude-haiku-4-5"),
    Provider("gemini", "gemini:gemini-2.5-flash"),
]
OPENAI = PROVIDERS[0]


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=3, speed=FAST) as simulator:
        yield simulator


# So long that none of its lines runs before a cancel has come, however fast the clock.
LONG = {"running": {"seconds": 80_000.0}, "slices": 1}


@pytest.fixture
def simulator(simulator: Simulator) -> Simulator:
    simulator.set_speed(FAST)
    return simulator


@pytest.fixture(params=PROVIDERS, ids=lambda provider: provider.name)
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


class Program:
    """Runs `batch-llm batch` in a directory of its own."""

    def __init__(self, directory: Path, simulator: Simulator) -> None:
        self.directory = directory
        self.simulator = simulator
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        sources = os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))
        self.environment = {
            **kept,
            **simulator.environment(),
            "PYTHONPATH": sources,
            "COLUMNS": "200",
        }

    @property
    def state(self) -> Path:
        return self.directory / "out.jsonl.state"

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "batch_llm", "batch", *arguments]

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def send(self, provider: Provider, *more: str) -> subprocess.CompletedProcess[bytes]:
        return self.run(*self.sending(provider, *more))

    def start(self, *arguments: str, stdout: Any = subprocess.PIPE) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )

    def sending(self, provider: Provider, *more: str) -> list[str]:
        model = ["-m", provider.model, "-p", "Say {text}", "--max-tokens", "50"]
        return ["in.jsonl", "-o", "out.jsonl", *model, "--poll-interval", "0.02", *more]

    def started_and_taken(
        self, provider: Provider, *more: str, batches: int = 1
    ) -> subprocess.Popen[bytes]:
        """Start it while the clock stands still, and wait until the provider has the rows."""
        self.simulator.set_speed(SLOW)
        process = self.start(*self.sending(provider, *more))
        self.wait_until(lambda: len(self.steps("created")) == batches)
        return process

    def wait_until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while not holds():
            assert time.monotonic() < until, "it takes too long"
            time.sleep(0.02)

    def steps(self, kind: str) -> list[dict[str, Any]]:
        if not self.state.exists():
            return []
        lines = self.state.read_bytes().split(b"\n")[:-1]
        return [event for event in map(json.loads, lines) if event["kind"] == kind]

    def write(self, name: str, *rows: object) -> Path:
        path = self.directory / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def results(self, name: str = "out.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / name).read_bytes().splitlines()]

    def status(self) -> dict[str, Any]:
        done = self.run("status", "out.jsonl.state", "--json")
        assert done.returncode == 0, done.stderr.decode()
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture
def program(tmp_path: Path, simulator: Simulator) -> Program:
    made = Program(tmp_path, simulator)
    made.write("in.jsonl", *numbered(10))
    return made


def numbered(count: int) -> list[dict[str, Any]]:
    return [{"id": f"row-{n}", "text": f"text {n}"} for n in range(count)]


def check_all_answered(program: Program, rows: int = 10) -> None:
    found = {row["id"]: row["output"] for row in program.results()}
    assert found == {f"row-{n}": f"Say text {n}" for n in range(rows)}
    executed = [record for record in program.simulator.books.records if record.executed]
    assert len(executed) == rows
    assert not program.simulator.books.repeated("prompt"), "a request was executed twice"


# -- to its end


def test_every_row_gets_its_answer(program: Program, provider: Provider) -> None:
    done = program.send(provider, "--items-per-batch", "4")
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert done.stdout == b""
    check_all_answered(program)
    assert "10 rows in" in said
    assert "3 remote batches: 10 succeeded." in said
    assert "Results: out.jsonl\nState: out.jsonl.state\n" in said
    row = {row["id"]: row for row in program.results()}["row-7"]
    assert row.pop("duration_seconds") > 0
    assert row.pop("cost_usd") > 0
    tokens = row.pop("tokens")
    assert tokens["input_tokens"] + tokens["output_tokens"] == tokens["total_tokens"] > 0
    assert row == {
        "id": "row-7",
        "line": 8,
        "status": "succeeded",
        "output": "Say text 7",
        "error": None,
        "error_category": None,
        "attempts": 1,
        "unanswered_calls": 0,
        "origin": "call",
        "finish_reason": "stop",
    }


def test_one_bad_row_fails_alone_and_repeats_its_fields(program: Program) -> None:
    program.write("in.jsonl", {"id": "a", "text": "x", "by": "Ada"}, {"id": "b", "by": "Bob"})
    done = program.send(OPENAI, "--keep", "by", "--order", "input")
    assert done.returncode == 1
    good, bad = program.results()
    assert (good["status"], good["input"]) == ("succeeded", {"by": "Ada"})
    assert (bad["status"], bad["line"], bad["input"]) == ("failed", 2, {"by": "Bob"})
    assert bad["error_category"] == "input_error"
    assert bad["error"] == "InputError: Line 2 has no field 'text'."
    assert "retry-failed" not in done.stderr.decode()  # it would not help
    assert program.status()["failed"] == 1


def test_a_row_whose_text_is_null_is_not_sent(program: Program) -> None:
    program.write("in.jsonl", {"id": "a", "text": "x"}, {"id": "b", "text": None})
    assert program.send(OPENAI, "--order", "input").returncode == 1
    _, bad = program.results()
    assert bad["error"] == "InputError: Line 2 has null in the field 'text'."
    assert {record.prompt for record in program.simulator.books.records} == {"Say x"}


def test_results_in_the_order_of_the_input(program: Program) -> None:
    done = program.send(OPENAI, "--items-per-batch", "1", "--order", "input")
    assert done.returncode == 0
    assert [row["id"] for row in program.results()] == [f"row-{n}" for n in range(10)]


def test_csv_in_and_out(program: Program) -> None:
    (program.directory / "in.csv").write_text("name,text\nx,one\ny,two\n")
    done = program.run(
        *("in.csv", "-o", "out.csv", "-m", OPENAI.model, "-p", "{text}", "--id-field", "name"),
        *("--poll-interval", "0.02"),
    )
    assert done.returncode == 0, done.stderr.decode()
    with (program.directory / "out.csv").open(newline="") as file:
        assert {row["id"]: row["output"] for row in csv.DictReader(file)} == {
            "x": "one",
            "y": "two",
        }


def test_answers_that_fit_a_schema_also_after_a_restart(program: Program) -> None:
    (program.directory / "shapes.py").write_text(
        "from pydantic import BaseModel\n\nclass Review(BaseModel):\n    stars: int\n"
    )
    del program.environment["PYTHONPATH"]
    if path := os.environ.get("PYTHONPATH"):
        program.environment["PYTHONPATH"] = path
    process = program.started_and_taken(OPENAI, "--schema", "shapes:Review")
    process.kill()
    process.communicate()
    program.simulator.set_speed(FAST)
    done = program.run("resume", "out.jsonl.state")
    assert done.returncode == 0, done.stderr.decode()
    assert all(isinstance(row["output"]["stars"], int) for row in program.results())


def test_a_schema_that_has_changed_is_refused_while_rows_are_to_fit_it(program: Program) -> None:
    def shape(field: str) -> None:
        (program.directory / "shapes.py").write_text(
            f"from pydantic import BaseModel\n\nclass Review(BaseModel):\n    {field}\n"
        )

    shape("stars: int")
    limit = ("--items-per-batch", "5", "--max-cost", "0.0000001")
    assert program.send(OPENAI, "--schema", "shapes:Review", *limit).returncode == 1
    shape("stars: str  # as a word")
    refused = program.run("resume", "out.jsonl.state", "--max-cost", "1")
    assert refused.returncode == 2
    assert "--schema shapes:Review has changed since the rows were read" in refused.stderr.decode()
    assert program.steps("chunk") == []
    shape("stars: int")
    done = program.run("resume", "out.jsonl.state", "--max-cost", "1")
    assert done.returncode == 0, done.stderr.decode()
    assert all(isinstance(row["output"]["stars"], int) for row in program.results())


def test_a_limit_is_given_up_by_name(program: Program) -> None:
    assert program.send(OPENAI, "--max-cost", "0.0000001").returncode == 1
    both = program.run("resume", "out.jsonl.state", "--max-cost", "1", "--no-max-cost")
    assert both.returncode == 2
    assert "--no-max-cost and --max-cost do not go together" in both.stderr.decode()
    done = program.run("resume", "out.jsonl.state", "--no-max-cost")
    assert done.returncode == 0, done.stderr.decode()
    assert all(row["status"] == "succeeded" for row in program.results())


def test_standard_streams(program: Program) -> None:
    rows = b'{"id": "a", "text": "x"}\n'
    arguments = ["-", "--format", "jsonl", "-m", OPENAI.model, "-p", "{text}", "-o", "-"]
    refused = program.run(*arguments, stdin=rows)
    assert refused.returncode == 2
    assert "--state" in refused.stderr.decode()
    done = program.run(*arguments, "--state", "s", "--poll-interval", "0.02", "-q", stdin=rows)
    assert done.returncode == 0
    assert json.loads(done.stdout)["output"] == "x"
    assert done.stderr == b""


def test_an_input_that_is_called_like_a_command(program: Program) -> None:
    program.write("status", {"id": "a", "text": "x"})
    model = ["-m", OPENAI.model, "-p", "{text}", "-o", "o.jsonl", "--poll-interval", "0.02"]
    done = program.run("./status", "--format", "jsonl", *model)
    assert done.returncode == 0, done.stderr.decode()


def test_options_may_come_first(program: Program) -> None:
    arguments = program.sending(OPENAI)
    done = program.run(*arguments[1:], arguments[0])
    assert done.returncode == 0, done.stderr.decode()


# -- cut off, and on again


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_the_first_signal_waits_for_what_is_under_way(
    program: Program, provider: Provider, number: signal.Signals
) -> None:
    limits = ("--items-per-batch", "5", "--max-concurrent", "1")
    process = program.started_and_taken(provider, *limits)
    process.send_signal(number)
    said = b""
    assert process.stderr is not None
    while b"batch-llm batch resume out.jsonl.state collects them" not in said:
        said += process.stderr.readline()
    assert b"nothing more is submitted" in said
    program.simulator.set_speed(FAST)
    rest = process.communicate(timeout=PATIENCE_SECONDS)[1].decode()
    assert process.returncode == 130, rest
    assert "5 succeeded, 5 not sent" in rest
    assert "To go on: batch-llm batch resume out.jsonl.state\n" in rest
    assert "Results: out.jsonl (5 of 10 rows)" in rest
    assert len(program.results()) == 5
    done = program.run("resume", "out.jsonl.state")
    assert done.returncode == 0, done.stderr.decode()
    check_all_answered(program)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda each: each.name)
def test_the_second_signal_leaves_at_once(program: Program, number: signal.Signals) -> None:
    process = program.started_and_taken(OPENAI)
    process.send_signal(number)
    assert process.stderr is not None
    while b"collects them" not in process.stderr.readline():
        pass
    process.send_signal(number)
    rest = process.communicate(timeout=PATIENCE_SECONDS)[1].decode()
    assert process.returncode == 130, rest
    assert "10 under way at the provider" in rest
    assert program.status()["pid"] is None
    program.simulator.set_speed(FAST)
    done = program.run("resume", "out.jsonl.state")
    assert done.returncode == 0, done.stderr.decode()
    check_all_answered(program)


def test_a_killed_run_goes_on_and_nothing_is_sent_twice(
    program: Program, provider: Provider
) -> None:
    process = program.started_and_taken(provider, "--items-per-batch", "5", batches=2)
    process.kill()
    process.communicate()
    assert program.status()["in_flight"] == 10
    program.simulator.set_speed(FAST)
    done = program.run("resume", "out.jsonl.state")
    assert done.returncode == 0, done.stderr.decode()
    check_all_answered(program)


def test_a_run_cut_off_before_its_rows_were_kept_begins_anew(program: Program) -> None:
    assert program.send(OPENAI, "--limit", "3").returncode == 0
    lines = program.state.read_bytes().splitlines(keepends=True)
    jobs = [n for n, line in enumerate(lines) if b'"kind":"job"' in line]
    program.state.write_bytes(b"".join(lines[: jobs[1]]) + lines[jobs[1]][:20])
    (program.directory / "out.jsonl").unlink()
    refused = program.run("resume", "out.jsonl.state")
    assert refused.returncode == 2
    assert "run the same" in refused.stderr.decode()
    program.simulator.reset()
    done = program.send(OPENAI)
    assert done.returncode == 0, done.stderr.decode()
    check_all_answered(program)


def test_resume_after_the_end_sends_nothing(program: Program) -> None:
    program.send(OPENAI)
    done = program.run("resume", "out.jsonl.state")
    assert done.returncode == 0
    check_all_answered(program)


def test_results_that_the_user_has_changed_are_not_replaced(program: Program) -> None:
    program.send(OPENAI)
    program.write("out.jsonl", "mine")
    refused = program.run("resume", "out.jsonl.state")
    assert refused.returncode == 2
    assert "not as this run has left it" in refused.stderr.decode()
    assert (program.directory / "out.jsonl").read_text() == "mine\n"
    elsewhere = program.run("resume", "out.jsonl.state", "-o", "other.csv")
    assert elsewhere.returncode == 0, elsewhere.stderr.decode()
    assert (program.directory / "other.csv").read_text().startswith("id,line,status,")
    assert (program.directory / "out.jsonl").read_text() == "mine\n"


# -- cancel, retry


def test_cancel_keeps_what_was_done(program: Program, provider: Provider) -> None:
    process = program.started_and_taken(provider, "--items-per-batch", "5", "--max-concurrent", "1")
    process.kill()
    process.communicate()
    cancelling = program.start("cancel", "out.jsonl.state", "--poll-interval", "0.02")
    program.wait_until(lambda: len(program.steps("cancelled")) == 1)
    program.simulator.set_speed(50)  # it takes a second to stop, and far more to run to its end
    said = cancelling.communicate(timeout=PATIENCE_SECONDS)[1].decode()
    assert cancelling.returncode == 1, said
    assert "5 not sent" in said
    counts = Counter(row["status"] for row in program.results())
    assert counts.total() == 5
    assert counts["cancelled"] > 0
    assert program.status()["batches"][0]["state"] == "collected"


def test_cancelled_rows_alone_are_sent_again(program: Program) -> None:
    process = program.started_and_taken(OPENAI, "--items-per-batch", "5", "--max-concurrent", "1")
    process.kill()
    process.communicate()
    cancelling = program.start("cancel", "out.jsonl.state", "--poll-interval", "0.02")
    program.wait_until(lambda: len(program.steps("cancelled")) == 1)
    program.simulator.set_speed(50)
    said = cancelling.communicate(timeout=PATIENCE_SECONDS)[1].decode()
    hint = "send the cancelled rows again: batch-llm batch resubmit-cancelled out.jsonl.state"
    assert hint in said
    assert hint in program.run("status", "out.jsonl.state").stdout.decode()
    program.simulator.set_speed(FAST)
    again = program.run("resubmit-cancelled", "out.jsonl.state")
    assert again.returncode == 0, again.stderr.decode()
    assert hint not in again.stderr.decode()
    check_all_answered(program)
    nothing = program.run("resubmit-cancelled", "out.jsonl.state")
    assert nothing.returncode == 0
    assert "no row was cancelled that could be sent again" in nothing.stderr.decode()


def test_who_sends_nothing_again_is_told_of_the_rows_that_are_left(program: Program) -> None:
    program.simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, times=1))
    assert program.send(OPENAI, "--items-per-batch", "5").returncode == 1
    none = program.run("resubmit-expired", "out.jsonl.state")
    assert none.returncode == 1
    assert "no row has expired that could be sent again" in none.stderr.decode()
    assert "send the failed rows again: batch-llm batch retry-failed" in none.stderr.decode()
    poor = program.run("retry-failed", "out.jsonl.state", "--max-cost", "0.0000001")
    assert poor.returncode == 1
    assert "Results: out.jsonl (10 of 10 rows, 5 of them as they ended before)" in (
        poor.stderr.decode()
    )
    waiting = program.run("retry-failed", "out.jsonl.state")
    assert waiting.returncode == 1
    said = waiting.stderr.decode()
    assert "no row has failed that could be sent again" in said
    assert "5 succeeded, 5 not sent" in said
    assert "To go on: batch-llm batch resume out.jsonl.state" in said


def test_cancel_sends_nothing_that_waits(program: Program) -> None:
    process = program.started_and_taken(OPENAI, "--items-per-batch", "1", "--max-concurrent", "1")
    process.kill()
    process.communicate()
    program.simulator.set_speed(FAST)
    program.run("cancel", "out.jsonl.state")
    assert len(program.steps("created")) == 1


def test_failed_rows_alone_are_sent_again(program: Program, provider: Provider) -> None:
    program.simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, times=1))
    done = program.send(provider, "--items-per-batch", "5")
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "5 succeeded, 5 failed" in said
    assert "batch-llm batch retry-failed out.jsonl.state" in said
    again = program.run("retry-failed", "out.jsonl.state")
    assert again.returncode == 0, again.stderr.decode()
    check_all_answered(program)
    nothing = program.run("retry-failed", "out.jsonl.state")
    assert nothing.returncode == 0
    assert "no row has failed" in nothing.stderr.decode()


def test_expired_rows_are_sent_again(program: Program) -> None:
    program.simulator.set_speed(1_000_000)  # what expires takes days
    program.simulator.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, times=1))
    done = program.send(OPENAI)
    assert done.returncode == 1
    assert "batch-llm batch resubmit-expired out.jsonl.state" in done.stderr.decode()
    assert {row["status"] for row in program.results()} <= {"succeeded", "expired"}
    again = program.run("resubmit-expired", "out.jsonl.state")
    assert again.returncode == 0, again.stderr.decode()
    assert {row["status"] for row in program.results()} == {"succeeded"}


def test_rows_that_cannot_be_sent_again_stay_in_the_output(program: Program) -> None:
    program.simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED, times=1))
    assert program.send(OPENAI, "--items-per-batch", "5", "--keep", "text").returncode == 1
    before = program.results()
    done = program.run("retry-failed", "out.jsonl.state", "--max-cost", "0.0000001")
    said = done.stderr.decode()
    assert done.returncode == 1
    assert "5 succeeded, 5 not sent" in said
    assert "Results: out.jsonl (10 of 10 rows, 5 of them as they ended before)" in said
    assert "To go on: batch-llm batch resume out.jsonl.state --max-cost USD" in said
    assert by_id(program.results()) == by_id(before)
    program.run("results", "out.jsonl.state", "-o", "again.jsonl")
    assert program.results("again.jsonl") == program.results()
    assert program.run("resume", "out.jsonl.state", "--max-cost", "1").returncode == 0
    check_all_answered(program)


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["id"]: row for row in rows}


# -- money


@pytest.mark.parametrize("limit", [["--max-cost", "1"], []], ids=["limit", "no limit"])
def test_what_no_batch_has_answered_by_the_deadline_is_called_live(
    program: Program, provider: Provider, limit: list[str]
) -> None:
    program.simulator.set_batch_times(LONG)
    process = program.started_and_taken(provider, "--deadline", "1s", *limit)
    program.wait_until(lambda: bool(program.steps("went_live")))
    program.simulator.set_speed(FAST)  # a cancelled batch ends
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said.decode()
    check_all_answered(program)
    lanes = {record.lane for record in program.simulator.books.records if record.executed}
    assert lanes == {"live"}
    assert program.status()["deadline_at"] is not None
    rows, billed = program.results(), program.simulator.books.totals().usd
    assert sum(row["cost_usd"] for row in rows) == pytest.approx(billed, abs=1e-12)
    for row in rows:
        # Once in the batch that was recalled, and once live.
        assert (row["attempts"], row["origin"], row["unanswered_calls"]) == (2, "call", 0)
        assert 0 < row["duration_seconds"] < PATIENCE_SECONDS
    shown = program.run("status", "out.jsonl.state").stdout.decode()
    (deadline,) = (line for line in shown.splitlines() if line.startswith("Deadline: "))
    assert deadline.endswith("; 10 rows called live.")


def test_the_status_says_what_a_deadline_will_do(program: Program) -> None:
    process = program.started_and_taken(OPENAI, "--deadline", "1h")
    shown = program.run("status", "out.jsonl.state").stdout.decode()
    process.kill()
    process.communicate()
    assert "; rows without an answer by then are called live.\n" in shown


def test_a_deadline_outlives_the_process(program: Program) -> None:
    program.simulator.set_batch_times(LONG)
    process = program.started_and_taken(OPENAI, "--deadline", "1h")
    process.kill()
    process.communicate()
    assert b"Deadline: " in program.run("status", "out.jsonl.state").stdout
    process = program.start("resume", "out.jsonl.state", "--deadline", "1s")
    program.wait_until(lambda: bool(program.steps("went_live")))
    program.simulator.set_speed(FAST)
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said.decode()
    check_all_answered(program)


def test_a_deadline_stays_when_it_was_and_another_counts_from_now(program: Program) -> None:
    def resumed(*given: str) -> float:
        process = program.start("resume", "out.jsonl.state", "--quiet", *given)
        time.sleep(1)
        program.wait_until(lambda: len(program.steps("deadline")) == 1 + ("2h" in given))
        process.kill()
        process.communicate()
        return float(program.status()["deadline_at"])

    process = program.started_and_taken(OPENAI, "--deadline", "1h")
    process.kill()
    process.communicate()
    first = float(program.status()["deadline_at"])
    assert resumed() == first
    assert resumed("--deadline", "1h") == first
    assert resumed("--deadline", "2h") == pytest.approx(time.time() + 7200, abs=30)


def test_a_limit_that_cannot_be_kept_is_refused(program: Program) -> None:
    model = Provider("openai", "openai:gpt-unheard-of")
    done = program.send(model, "--max-cost", "1")
    assert done.returncode == 2
    assert "--max-cost cannot be kept with openai:gpt-unheard-of" in done.stderr.decode()
    assert not program.state.exists()
    assert not program.simulator.books.records


def test_a_limit_lets_a_part_go_and_a_higher_one_the_rest(program: Program) -> None:
    estimate = program.run(*program.sending(OPENAI, "--estimate")).stderr.decode()
    most = float(estimate.partition(" to at most ")[2].split()[0])
    limit = ("--items-per-batch", "1", "--max-concurrent", "1", "--max-cost", f"{most * 0.11:.9f}")
    done = program.send(OPENAI, *limit)
    said = done.stderr.decode()
    assert done.returncode == 1, said
    assert "To go on: batch-llm batch resume out.jsonl.state --max-cost USD" in said
    assert 0 < len(program.results()) < 10
    status = program.status()
    assert status["cost_usd"] <= most * 0.11
    assert status["pending"] == 10 - len(program.results())
    told = program.run("status", "out.jsonl.state").stdout.decode()
    assert f"Left of --max-cost {limit[-1].rstrip('0')}: " in told
    assert "What does not fit is not sent: resume takes a higher one." in told
    more = program.run("resume", "out.jsonl.state", "--max-cost", "1")
    assert more.returncode == 0, more.stderr.decode()
    assert "not sent" not in program.run("status", "out.jsonl.state").stdout.decode()
    check_all_answered(program)


def test_an_estimate_sends_and_writes_nothing(program: Program) -> None:
    done = program.run(*program.sending(OPENAI, "--estimate"))
    assert done.returncode == 0, done.stderr.decode()
    assert "10 rows: 10 to be sent." in done.stderr.decode()
    assert "at the Batch API's prices" in done.stderr.decode()
    assert sorted(path.name for path in program.directory.iterdir()) == ["in.jsonl"]
    assert not program.simulator.books.records


def test_an_estimate_says_where_it_has_live_prices_only(program: Program) -> None:
    unlisted = Provider("anthropic", "claude-opus-4-1")
    done = program.run(*program.sending(unlisted, "--estimate"))
    assert "at live prices, for none of batches is listed" in done.stderr.decode()


# -- two at once, and what is shown


def test_a_second_process_is_told_of_the_first(program: Program) -> None:
    process = program.started_and_taken(OPENAI)
    for command in ("resume", "cancel", "retry-failed"):
        refused = program.run(command, "out.jsonl.state")
        said = refused.stderr.decode()
        assert refused.returncode == 2
        assert f"process {process.pid} is at work" in said
        assert f"kill -INT {process.pid}" in said
    other = program.send(OPENAI, "--state", "other.state")
    assert other.returncode == 2
    assert "is being written by another run" in other.stderr.decode()
    found = program.status()
    assert (found["pid"], found["is_running"], found["in_flight"]) == (process.pid, True, 10)
    shown = program.run("status", "out.jsonl.state").stdout.decode()
    assert "10 rows of in.jsonl, for openai:gpt-4o-mini." in shown
    assert f"The process {process.pid} is at work on it." in shown
    process.kill()
    process.communicate()


def test_a_number_left_by_a_killed_run_is_no_process_at_work(program: Program) -> None:
    process = program.started_and_taken(OPENAI)
    process.kill()
    process.communicate()
    # Its number is another process's by now.
    (program.directory / "out.jsonl.state.lock").write_text(f"{os.getpid()}\n")
    assert (program.status()["pid"], program.status()["is_running"]) == (None, False)
    shown = program.run("status", "out.jsonl.state").stdout.decode()
    assert "at work" not in shown
    assert "To go on: batch-llm batch resume out.jsonl.state\n" in shown


def test_results_of_a_run_that_goes_on(program: Program) -> None:
    process = program.started_and_taken(OPENAI, "--items-per-batch", "5", "--max-concurrent", "1")
    program.simulator.set_speed(FAST)
    program.wait_until(lambda: len(program.steps("collected")) == 2)
    process.communicate(timeout=PATIENCE_SECONDS)
    done = program.run("results", "out.jsonl.state")
    assert {json.loads(line)["id"] for line in done.stdout.splitlines()} == {
        f"row-{n}" for n in range(10)
    }


def test_a_status_that_cannot_be_printed_is_one_sentence(program: Program) -> None:
    program.send(OPENAI)
    for more in ([], ["--json"]):
        with Path("/dev/full").open("wb") as full:
            process = program.start("status", "out.jsonl.state", *more, stdout=full)
            _, said = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == 1
        why = "Error: Writing to standard output failed: No space left on device.\n"
        assert said.decode() == why


def test_a_status_whose_reader_goes_away_is_no_failure(program: Program) -> None:
    program.send(OPENAI)
    process = program.start("status", "out.jsonl.state")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, said = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, said) == (0, b"")


@pytest.mark.parametrize("quiet", [[], ["--quiet"]], ids=["told", "quiet"])
def test_results_whose_reader_goes_away_are_in_the_state(
    program: Program, quiet: list[str]
) -> None:
    model = ["-m", OPENAI.model, "-p", "{text}", "--poll-interval", "0.02"]
    process = program.start("in.jsonl", "-o", "-", "--state", "s", *model, *quiet)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    said = process.communicate(timeout=PATIENCE_SECONDS)[1].decode()
    assert process.returncode == 1
    assert "Writing to standard output failed after 0 rows: Broken pipe.\n" in said
    assert "Results: in the state; batch-llm batch results s -o FILE writes them\n" in said
    done = program.run("results", "s", "-o", "out.jsonl")
    assert done.returncode == 0
    assert len(program.results()) == 10


def test_a_provider_that_is_not_reached_has_refused_nothing_and_has_nothing(
    program: Program,
) -> None:
    program.environment["OPENAI_BASE_URL"] = "http://127.0.0.1:9/v1"
    process = program.start(*program.sending(OPENAI))
    program.wait_until(lambda: bool(program.steps("refused")))
    time.sleep(0.3)  # it is shown
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=PATIENCE_SECONDS)[1].decode()
    assert process.returncode == 130
    assert "openai did not take it (The connection to 127.0.0.1:9 failed" in said
    assert "go on at the provider" not in said
    assert "To go on: batch-llm batch resume out.jsonl.state\n" in said


def test_a_terminal_shows_each_remote_batch(program: Program) -> None:
    program.simulator.set_speed(SLOW)
    controller, terminal = pty.openpty()
    process = subprocess.Popen(
        program.command(*program.sending(OPENAI, "--items-per-batch", "5")),
        cwd=program.directory,
        env={**program.environment, "TERM": "xterm", "COLUMNS": "80", "LINES": "40"},
        stderr=terminal,
    )
    os.close(terminal)
    shown = b""
    try:
        while shown.count(b"validating") < 2 and b"in_progress" not in shown:
            shown += os.read(controller, 65_536)
        program.simulator.set_speed(FAST)
        while chunk := os.read(controller, 65_536):
            shown += chunk
    except OSError:
        pass  # the program has closed the terminal
    finally:
        os.close(controller)
    assert process.wait(PATIENCE_SECONDS) == 0
    text = shown.decode()
    assert "remote batch" in text
    assert program.steps("created")[0]["remote_id"][-11:] in text
    assert "at most" in text
    assert "10 rows in" in text


# -- refused at the door


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-m", "local"], "has no Batch API. Use batch-llm run"),
        (["-m", "gpt-4.1-nano "], "'gpt-4.1-nano ' has white space around a name"),
        (["-m", "nonsense"], "No provider is known for the model 'nonsense'"),
        (["-m", "http://127.0.0.1:1/v1"], "names none"),
        (["-p", "{txet}"], "no row has the field 'txet', which the prompt template names"),
        (["--schema", "none.json"], "'none.json' cannot be read"),
        (["--poll-interval", "soon"], "--poll-interval takes a duration"),
        (["--max-cost", "0"], "--max-cost takes a number above 0"),
        (["--max-cost", "-1"], "--max-cost takes a number above 0"),
        (
            ["-m", "gpt-5-mini", "--temperature", "0"],
            "--temperature cannot be set for gpt-5-mini. Leave it out.",
        ),
        (["--api-key-env", "NOT_SET"], "'NOT_SET' is not set"),
        (["-o", "taken.jsonl"], "'taken.jsonl' exists"),
        (["-o", "in.jsonl", "--force"], "'in.jsonl' is the input itself"),
        (["-o", "none/out.jsonl"], "directory 'none' does not exist"),
        (["-o", "out.txt"], "'out.txt' is unknown"),
        (["--state", "in.jsonl"], "--state names the input"),
        (["--state", "out.jsonl"], "--state and --output both name"),
        (["--state", "out.jsonl.partial"], "keeps beside --output"),
        (["--state", "taken.jsonl"], "is no batch state"),
        (["--state", "none/x"], "directory"),
    ],
)
def test_refusals(program: Program, arguments: list[str], said: str) -> None:
    program.write("taken.jsonl", "precious")
    before = sorted(path.name for path in program.directory.iterdir())
    done = program.send(OPENAI, *arguments)
    assert done.returncode == 2, done.stderr.decode()
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert sorted(path.name for path in program.directory.iterdir()) == before
    assert (program.directory / "taken.jsonl").read_text() == "precious\n"
    assert not program.simulator.books.records


@pytest.mark.parametrize("more", [(), ("--force",), ("--deadline", "6h")])
def test_the_same_command_run_again_names_the_one_that_goes_on(
    program: Program, more: tuple[str, ...]
) -> None:
    program.send(OPENAI)
    again = program.send(OPENAI, *more)
    assert again.returncode == 2
    said = again.stderr.decode()
    assert "To go on with it: batch-llm batch resume out.jsonl.state" in said
    assert "--force" not in said
    assert program.run("resume", "out.jsonl.state").returncode == 0
    check_all_answered(program)


def test_an_output_of_another_state_is_not_replaced(program: Program) -> None:
    program.send(OPENAI)
    again = program.send(OPENAI, "--state", "other.state")
    assert again.returncode == 2
    assert "The output 'out.jsonl' exists" in again.stderr.decode()


def test_states_that_cannot_be_used(program: Program) -> None:
    program.send(OPENAI)
    before = sorted(path.name for path in program.directory.iterdir())
    again = ("retry-failed", "resubmit-expired", "resubmit-cancelled")
    for command in ("status", "resume", "cancel", *again, "results"):
        missing = program.run(command, "none.state")
        assert missing.returncode == 2, command
        assert "There is no state 'none.state'" in missing.stderr.decode()
        beside = program.run(command, "out.jsonl")
        assert beside.returncode == 2, command
        assert "'out.jsonl.state'?" in beside.stderr.decode()
    assert sorted(path.name for path in program.directory.iterdir()) == before


@pytest.mark.parametrize("text", [b'{"id": "a"}\n', b""], ids=["rows", "empty"])
def test_a_file_that_is_no_state_stays_as_it_was(program: Program, text: bytes) -> None:
    (program.directory / "mine.jsonl").write_bytes(text)
    for command in ("resume", "cancel", "retry-failed"):
        refused = program.run(command, "mine.jsonl")
        assert refused.returncode == 2, command
        assert "mine.jsonl" in refused.stderr.decode()
    assert (program.directory / "mine.jsonl").read_bytes() == text
    assert sorted(path.name for path in program.directory.iterdir()) == ["in.jsonl", "mine.jsonl"]


@pytest.mark.parametrize(
    "command", ["run", "resume", "retry-failed", "resubmit-expired", "resubmit-cancelled"]
)
def test_the_help_says_that_a_limit_is_above_0(program: Program, command: str) -> None:
    said = program.run(command, "--help").stdout.decode()
    (limit,) = (line for line in said.splitlines() if "--max-cost" in line and "USD" in line)
    assert "above 0" in limit
    assert ">=0" not in limit


def test_the_help_says_when_a_deadline_counts_from(program: Program) -> None:
    first, later = (
        " ".join(program.run(command, "--help").stdout.decode().replace("│", " ").split())
        for command in ("run", "resume")
    )
    assert "from the first start on" in first
    assert "counts from now" in later
    assert "from the first start on" not in later


def test_a_command_that_is_spelt_wrong(program: Program) -> None:
    done = program.run("statsu", "out.jsonl.state")
    assert done.returncode == 2
    assert "Did you mean 'status'?" in done.stderr.decode()


def test_an_estimate_needs_no_key(program: Program) -> None:
    secret = ("_KEY", "_URL")  # at its own address the provider asks for a key
    program.environment = {
        name: value for name, value in program.environment.items() if not name.endswith(secret)
    }
    done = program.send(OPENAI, "--estimate")
    assert done.returncode == 0
    assert b"Cost: " in done.stderr
    refused = program.send(OPENAI)
    assert refused.returncode == 2
    assert b"OpenAI needs a key" in refused.stderr


def test_no_key_stands_in_the_state(program: Program) -> None:
    program.environment["MY_KEY"] = "sk-private-0123456789"
    done = program.send(OPENAI, "--api-key-env", "MY_KEY")
    assert done.returncode == 0, done.stderr.decode()
    assert b"sk-private" not in program.state.read_bytes() + done.stderr
    assert fold(program.state).state.asked is not None
