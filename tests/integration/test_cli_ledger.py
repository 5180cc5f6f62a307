"""`batch-llm run` with a ledger, a cap and an estimate, against a provider that keeps books."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.ledger import read_ledger
from batch_llm.testing.simulator import Latency, Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NANO = "gpt-4.1-nano"


@pytest.fixture
def provider() -> Iterator[Simulator]:
    with Simulator(latency=Latency(seconds=0.02), seed=4) as simulator:
        yield simulator


class Program:
    """Runs `batch-llm` in a directory of its own, against a simulator."""

    def __init__(self, directory: Path, provider: Simulator) -> None:
        self.directory = directory
        self.provider = provider
        names = ("PATH", "HOME", "PYTHONPATH")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        self.environment = {**kept, "MY_KEY": "simulated", "COLUMNS": "200"}

    def run(self, *options: str, source: str = "in.jsonl") -> subprocess.CompletedProcess[str]:
        """Run all rows of a file, with a ledger."""
        return self.batch_llm(*self._run(source, *options))

    def command(self, *options: str) -> list[str]:
        return self._command(*self._run("in.jsonl", *options))

    def bash(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", script],
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def start(self, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*options),
            cwd=self.directory,
            env=self.environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def batch_llm(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(*arguments),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def _run(self, source: str, *options: str) -> list[str]:
        address = f"{self.provider.openai_base_url}#{NANO}"
        usual = ["run", source, "-o", "out.jsonl", "-m", address, "-p", "Judge: {text}"]
        priced = ["--api-key-env", "MY_KEY", "--priced-as", f"openai:{NANO}", "--max-tokens", "20"]
        return [*usual, *priced, *options]

    @staticmethod
    def _command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "batch_llm", *arguments]

    def write(self, count: int, name: str = "in.jsonl", text: str = "text") -> None:
        rows = ({"id": f"row-{n}", "text": f"{text} {n}"} for n in range(count))
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (self.directory / name).write_text(lines)

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path("out.jsonl").read_bytes().splitlines()]

    def path(self, name: str) -> Path:
        return self.directory / name

    @property
    def calls(self) -> int:
        return self.provider.books.totals().requests


@pytest.fixture
def program(tmp_path: Path, provider: Simulator) -> Program:
    program = Program(tmp_path, provider)
    program.write(50)
    return program


LEDGER = ("--ledger", "run.db")
RESUME = (*LEDGER, "--resume")


class TestResuming:
    def test_one_command_line_begins_and_goes_on(self, program: Program) -> None:
        first = program.run(*RESUME)
        calls, written = program.calls, program.results()
        second = program.run(*RESUME)

        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        assert program.calls == calls == 50
        assert "replayed" not in first.stderr
        assert "50 rows replayed from the ledger. No call was made." in second.stderr
        assert "Cost: 0.00 USD." in second.stderr
        assert {row["origin"] for row in written} == {"call"}
        replayed = {row["id"]: row for row in program.results()}
        for row in written:
            assert replayed[row["id"]] == {**row, "origin": "ledger"}
            assert row["cost_usd"] > 0

    def test_a_killed_run_goes_on_and_what_was_finished_is_not_called_for(
        self, program: Program
    ) -> None:
        program.write(400)
        process = program.start(*RESUME, "--max-workers", "10")
        while program.calls < 100:
            time.sleep(0.01)
        process.kill()
        process.communicate()
        before = program.calls
        assert not program.path("out.jsonl").exists()

        done = program.run(*RESUME)

        assert done.returncode == 0, done.stderr
        rows = program.results()
        assert sorted(row["id"] for row in rows) == sorted(f"row-{n}" for n in range(400))
        assert {row["status"] for row in rows} == {"succeeded"}
        again = sum(len(calls) - 1 for calls in program.provider.books.repeated().values())
        assert again <= 10, "at most the calls in flight are repeated"
        replayed = sum(row["origin"] == "ledger" for row in rows)
        assert before - 10 <= replayed <= before
        assert f"{replayed} rows replayed from the ledger. " in done.stderr
        assert not program.path("out.jsonl.partial").exists()

    def test_a_row_is_known_wherever_it_stands(self, program: Program) -> None:
        program.run(*LEDGER)
        lines = program.path("in.jsonl").read_text().splitlines(keepends=True)
        added = '{"id": "new", "text": "new"}\n'
        program.path("in.jsonl").write_text(added + "".join(reversed(lines)))

        done = program.run(*RESUME, "--keep-all")

        assert done.returncode == 0, done.stderr
        assert program.calls == 51
        assert len(program.results()) == 51

    def test_rows_whose_prompt_has_changed_are_asked_anew(self, program: Program) -> None:
        program.run(*LEDGER)

        done = program.run(*RESUME, "-p", "Rate: {text}")

        assert program.calls == 100
        assert "0 rows replayed from the ledger, 50 rows asked anew" in done.stderr

    def test_failures_are_tried_again(self, program: Program) -> None:
        program.run(*LEDGER, "--timeout", "0.001", "--max-attempts", "1")

        done = program.run(*RESUME)

        assert done.returncode == 0, done.stderr
        assert "0 rows replayed from the ledger, 50 earlier failures tried again." in done.stderr
        assert {row["status"] for row in program.results()} == {"succeeded"}

    def test_a_ledger_that_can_grow_no_more_ends_the_run_with_the_reason(
        self, program: Program
    ) -> None:
        program.write(1_500)
        command = shlex.join(program.command(*RESUME, "--max-workers", "50"))
        # No file may be larger than that: the ledger is the first to be.
        done = program.bash(f"ulimit -f 600; exec {command}")

        assert done.returncode == 1, done.stderr
        (said,) = (line for line in done.stderr.splitlines() if line.startswith("Error: "))
        assert "the ledger" in said
        assert "run.db' failed: " in said
        assert "Traceback" not in done.stderr
        rows = program.results()
        assert len(rows) == 1_500
        succeeded = {row["id"] for row in rows if row["status"] == "succeeded"}
        assert 0 < len(succeeded) < 1_500
        assert "To try again what has not succeeded" in done.stderr

        rest = program.run(*RESUME, "-o", "whole.jsonl", "--max-workers", "50")

        assert rest.returncode == 0, rest.stderr
        replayed = int(rest.stderr.split(" rows replayed")[0].splitlines()[-1].replace(",", ""))
        # What the ledger could not keep was in flight when it failed.
        assert len(succeeded) - 50 <= replayed <= len(succeeded)


class TestDoor:
    def refused(self, done: subprocess.CompletedProcess[str], said: str) -> None:
        assert done.returncode == 2, done.stderr
        (line,) = done.stderr.splitlines()
        assert line.startswith("Error: ")
        assert said in line

    def test_results_of_an_earlier_run_are_gone_on_with_only_if_asked(
        self, program: Program
    ) -> None:
        program.run(*LEDGER)

        done = program.run(*LEDGER, "-o", "other.jsonl")

        self.refused(done, "Add --resume to go on with them, or name another file with --ledger")
        assert not program.path("other.jsonl").exists()

    def test_a_second_process_is_refused_and_touches_nothing(self, program: Program) -> None:
        program.write(2_000)
        process = program.start(*RESUME, "--max-workers", "5")
        while program.calls < 50:
            time.sleep(0.01)
        written = program.path("out.jsonl.partial").stat().st_size

        done = program.run(*RESUME)
        status = program.batch_llm("status", "run.db")
        assert program.path("out.jsonl.partial").stat().st_size >= written
        process.kill()
        process.communicate()

        self.refused(done, f"is in use by the process {process.pid}")
        assert f"running, process {process.pid}" in status.stdout
        assert f"cut off, process {process.pid}" in program.batch_llm("status", "run.db").stdout

    def test_an_output_that_is_not_the_ledgers_own_stays(self, program: Program) -> None:
        program.run("--ledger", "other.db")
        written = program.path("out.jsonl").read_bytes()

        done = program.run(*RESUME)

        self.refused(done, "exists, and holds what the ledger 'run.db' does not")
        assert program.path("out.jsonl").read_bytes() == written
        assert program.run(*RESUME, "--force").returncode == 0

    def test_one_run_at_a_time_writes_an_output(self, program: Program) -> None:
        program.write(5_000)
        process = program.start("--ledger", "first.db", "--max-workers", "2")
        while not program.path("out.jsonl.partial").exists():
            time.sleep(0.01)
        try:
            others = [program.run("--ledger", "second.db"), program.run("--force")]
        finally:
            process.kill()
            process.communicate()

        for other in others:
            self.refused(other, "The output 'out.jsonl' is being written by another run")
        lines = program.path("out.jsonl.partial").read_bytes().splitlines()
        assert {json.loads(line)["status"] for line in lines[:-1]} <= {"succeeded"}

    def test_paid_results_that_the_ledger_lacks_are_kept_beside(self, program: Program) -> None:
        program.run("--ledger", "other.db")
        lost = program.path("out.jsonl").rename(program.path("out.jsonl.partial")).read_bytes()

        done = program.run(*RESUME)

        assert done.returncode == 0, done.stderr
        said = "out.jsonl.partial holds 50 results that the ledger does not; kept as "
        assert f"{said}out.jsonl.partial.1." in done.stderr
        assert program.path("out.jsonl.partial.1").read_bytes() == lost

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--resume"], "--resume needs a ledger: add --ledger FILE"),
            (["--cache"], "--cache needs a ledger"),
            (["--no-prompts"], "--no-prompts needs a ledger"),
            (["--durability", "power"], "--durability needs a ledger"),
            (["--ledger", "in.jsonl"], "--ledger names the input 'in.jsonl' itself"),
            (["--ledger", "none/run.db"], "directory"),
            (["--ledger", "out.jsonl"], "--ledger and --output both name 'out.jsonl'"),
            (["--ledger", "out.jsonl.partial"], "a run keeps beside --output 'out.jsonl'"),
            (["--ledger", "out.jsonl-wal"], "a run keeps beside --output 'out.jsonl'"),
            (["--ledger", "in.jsonl.lock"], "a run keeps beside the input 'in.jsonl'"),
            (["--ledger", "run", "-o", "run.lock"], "a run keeps beside --ledger 'run'"),
            (["--max-cost", "0"], "--max-cost takes a number above 0"),
            (["--max-cost", "1", "--priced-as", "openai:none"], "price of openai's 'none'"),
            (["--priced-as", "nano"], "--priced-as is 'provider:model'"),
            (["--deadline", "soon"], "--deadline takes a duration above 0"),
            (["--then", "openia:gpt"], "There is no model 'openia:gpt'"),
            (["--then", "local", "--max-attempts", "1"], "add --max-attempts 2"),
        ],
    )
    def test_options_that_cannot_work(
        self, program: Program, options: list[str], said: str
    ) -> None:
        before = program.path("in.jsonl").read_bytes()

        self.refused(program.run(*options), said)

        assert sorted(file.name for file in program.directory.iterdir()) == ["in.jsonl"]
        assert program.path("in.jsonl").read_bytes() == before
        assert program.calls == 0

    def test_a_cap_needs_a_price_and_a_bound(self, program: Program) -> None:
        address = f"{program.provider.openai_base_url}#{NANO}"
        done = program.batch_llm(
            *("run", "in.jsonl", "-o", "out.jsonl", "-m", address, "-p", "{text}"),
            *("--max-cost", "1"),
        )

        self.refused(done, "what its calls are billed as is not known. Say it with --priced-as")

    def test_results_need_a_place(self, program: Program) -> None:
        done = program.batch_llm("run", "in.jsonl", "-m", "http://h/v1#m", "-p", "{text}")

        self.refused(done, "add --output FILE, or --output -")


class TestMoney:
    def test_the_cap_holds_over_runs_by_the_providers_books(self, program: Program) -> None:
        cap_usd = 0.0001
        first = program.run(*RESUME, "--max-cost", f"{cap_usd}")
        calls = program.calls
        second = program.run(*RESUME, "--max-cost", f"{cap_usd}")

        billed = program.provider.books.totals().usd
        assert billed is not None
        assert 0 < billed <= cap_usd
        assert 0 < calls < 50
        assert program.calls - calls <= 1, "what was left may have sufficed for one more"
        assert (first.returncode, second.returncode) == (1, 1)
        assert "Left of --max-cost 0.0001: " in first.stderr
        assert "raise --max-cost, and run the same command again" in first.stderr
        failed = [row for row in program.results() if row["status"] == "failed"]
        assert {row["error_category"] for row in failed} == {"budget_exceeded"}
        assert "max_cost_usd" not in first.stderr

        third = program.run(*RESUME, "--max-cost", "1")

        assert third.returncode == 0, third.stderr
        assert program.calls == 50

    def test_the_summary_says_what_the_books_say(self, program: Program) -> None:
        done = program.run()

        billed = program.provider.books.totals().usd
        assert billed is not None
        assert sum(row["cost_usd"] for row in program.results()) == pytest.approx(billed)
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("Cost: "))
        assert float(line.split()[1]) == pytest.approx(billed, rel=0.01)

    def test_an_estimate_makes_no_call_and_writes_nothing(self, program: Program) -> None:
        with program.path("in.jsonl").open("a") as file:
            file.write("broken\n")

        done = program.run("--estimate", "--rpm", "25")

        assert done.returncode == 0, done.stderr
        assert program.calls == 0
        assert [file.name for file in program.directory.iterdir()] == ["in.jsonl"]
        assert "51 rows: 50 to be called for, 1 that cannot be used." in done.stderr
        assert "Tokens out: about 50, at most 1,000." in done.stderr
        assert "Time at the limits: at least 2:00." in done.stderr

    def test_what_is_spent_lies_within_the_estimate(self, program: Program) -> None:
        estimated = program.run("--estimate")
        program.run()

        (line,) = (line for line in estimated.stderr.splitlines() if line.startswith("Cost: "))
        low, high = (float(word) for word in line.split() if word[0].isdigit())
        billed = program.provider.books.totals().usd
        assert billed is not None
        assert low <= billed <= high

    def test_an_estimate_of_the_rest_leaves_out_what_would_be_replayed(
        self, program: Program
    ) -> None:
        program.run(*LEDGER, "--limit", "20")
        ledger = program.path("run.db").read_bytes()

        rest = program.run(*RESUME, "--estimate")
        changed = program.run(*RESUME, "--estimate", "--temperature", "0")

        assert "50 rows: 30 to be called for, 20 in the ledger already." in rest.stderr
        assert "50 rows: 50 to be called for." in changed.stderr
        assert program.path("run.db").read_bytes() == ledger


class TestNotPayingTwice:
    def test_equal_rows_can_share_a_call(self, program: Program) -> None:
        rows = "".join(f'{{"id": "{n}", "text": "same"}}\n' for n in range(20))
        program.path("in.jsonl").write_text(rows)

        done = program.run("--share", "--max-workers", "20")

        assert done.returncode == 0, done.stderr
        assert program.calls == 1
        assert "19 rows answered by the call of an equal one." in done.stderr
        assert [row["origin"] for row in program.results()].count("twin") == 19

    def test_a_cache_answers_other_rows_with_an_equal_prompt(self, program: Program) -> None:
        program.run(*LEDGER)
        program.write(50, "other.jsonl")
        text = program.path("other.jsonl").read_text().replace("row-", "other-")
        program.path("other.jsonl").write_text(text)

        done = program.run(*RESUME, "--cache", "-o", "other-out.jsonl", source="other.jsonl")

        assert done.returncode == 0, done.stderr
        assert program.calls == 50
        assert "50 rows answered from the cache." in done.stderr

    def test_prompts_stay_out_of_the_ledger_if_asked(self, program: Program) -> None:
        program.write(5, text="most private words")

        assert program.run(*LEDGER, "--no-prompts", "--durability", "power").returncode == 0

        kept = list(read_ledger(program.path("run.db")).results())
        assert [row.prompt for row in kept] == [None] * 5
        assert "5 rows replayed" in program.run(*RESUME, "--no-prompts").stderr


class TestTime:
    def test_a_deadline_ends_the_run_and_says_how_to_go_on(self, program: Program) -> None:
        program.write(5_000)

        done = program.run(*RESUME, "--deadline", "0.5s", "--max-workers", "2")

        assert done.returncode == 1, done.stderr
        assert "The deadline has passed; to go on, run the same command again." in done.stderr
        assert {row["status"] for row in program.results()} == {"succeeded", "cancelled"}
        assert len(program.results()) == 5_000


def test_another_model_takes_over_where_the_first_answers_badly(program: Program) -> None:
    program.write(3)
    program.path("label.json").write_text('{"type": "object", "required": ["label"]}')
    program.environment["OPENAI_BASE_URL"] = program.provider.openai_base_url
    program.environment["OPENAI_API_KEY"] = "simulated"
    # No object fits into one token: each row comes to the second model, and fails there too.
    options = ("--then", "openai:gpt-4.1-mini", "--schema", "label.json", "--max-tokens", "1")

    estimated = program.run(*options, "--estimate", "--max-attempts", "2")
    done = program.run(*options, "--max-attempts", "2")

    assert "openai:gpt-4.1-mini, if every row came to it:" in estimated.stderr
    assert done.returncode == 1, done.stderr
    assert [row["attempts"] for row in program.results()] == [2, 2, 2]
    models = Counter(record.model for record in program.provider.books.records)
    assert models == {NANO: 3, "gpt-4.1-mini": 3}


def test_answers_that_were_cut_are_told_also_if_only_errors_are(program: Program) -> None:
    program.write(3)

    done = program.run("--quiet", "--max-tokens", "1")

    assert done.stderr == "3 answers were cut at the token limit (--max-tokens).\n"
    assert {row["finish_reason"] for row in program.results()} == {"length"}


def test_status_and_results_tell_what_a_run_did(program: Program) -> None:
    program.run(*RESUME, "--max-cost", "0.0001")
    succeeded = sum(row["status"] == "succeeded" for row in program.results())

    status = program.batch_llm("status", "run.db", "--json")
    failed = program.batch_llm("results", "run.db", "--failed")
    saved = program.batch_llm("results", "run.db", "--succeeded", "-o", "good.csv")

    told = json.loads(status.stdout)
    assert (told["succeeded"], told["failed"]) == (succeeded, 50 - succeeded)
    assert told["failures"][0]["category"] == "budget_exceeded"
    assert told["spent_usd"] == pytest.approx(program.provider.books.totals().usd)
    assert len(failed.stdout.splitlines()) == 50 - succeeded
    assert saved.returncode == 0, saved.stderr
    assert len(program.path("good.csv").read_text().splitlines()) == succeeded + 1


def test_a_reader_that_has_seen_enough_is_no_error(program: Program) -> None:
    program.write(3_000)
    program.run(*LEDGER, "--max-workers", "100")

    done = program.bash(f"{sys.executable} -m batch_llm results run.db | head -1")

    assert json.loads(done.stdout)["status"] == "succeeded"
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["status", "results"])
def test_a_ledger_that_is_not_there_is_told(program: Program, command: str) -> None:
    done = program.batch_llm(command, "none.db")

    assert (done.returncode, done.stderr) == (2, "Error: There is no ledger 'none.db'.\n")
    assert not program.path("none.db").exists()
