"""The documentation runs: each page's code, in order, in a directory of its own.

What a block means:

- ```` ```python ````: run, in one namespace a page; a bare `await` is allowed, as in a notebook.
- ```` ```json title="rows.json" ````: any block with a title is written to that file.
- ```` ```sh ````: `batch-llm` and `python` are run; `pip`, `make` and the like are checked. A
  `batch-llm simulate … &` runs until the page ends, on a free port, and leads all SDKs to itself.
- ```` ```text ```` right below one of these: what it printed, to the letter.

Code that shows no failure must have none: where nothing printed is shown, every result that a block
leaves behind has succeeded.

OpenAI, Anthropic and Gemini are servers on this machine's loopback; the local model is the real
one.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import gc
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
import tomllib
import types
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pytest
import typer.main
from tests.chat_server import chat_server
from tests.gemini_server import serving as gemini_server
from tests.markdown_pages import ROOT, anchors_of, blocks_of, links_of, pages, prose_of
from tests.messages_server import messages_server

from batch_llm.base import BatchResult, WorkItemResult
from batch_llm.cli.app import app as command_line
from batch_llm.core import ProcessorConfig, RateLimitConfig, RetryConfig
from batch_llm.strategies.errors import ErrorCategory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.markdown_pages import Block

LONGEST_LINE = 120
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PROJECT["project"]["optional-dependencies"]

every_page = pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)


@pytest.fixture
def page_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory to run a page in, with providers that are on this machine."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with chat_server() as chat, messages_server() as messages, gemini_server() as gemini:
        monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-test")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", messages.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "key-of-the-test")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", gemini.address)
        monkeypatch.setenv("GEMINI_API_KEY", "key-of-the-test")
        yield tmp_path


@every_page
@pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")  # google-genai's own
def test_the_code_of_the_page_runs(
    page: Path, page_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(page_directory, monkeypatch)
    monkeypatch.setitem(sys.modules, "page", reader.module)
    blocks = blocks_of(page)
    with contextlib.closing(reader), asyncio.Runner() as runner:
        for block, following in zip_longest(blocks, blocks[1:]):
            failures = reader.read(block, runner)
            is_shown = following is not None and following.shows_what_was_printed
            assert is_shown or failures == [], block
    # What the page left open warns when it goes: it must do so here, and not in another test.
    reader.module.__dict__.clear()
    gc.collect()


@every_page
def test_no_line_is_too_long(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [f"{n}: {line}" for n, line in enumerate(lines, 1) if len(line) > LONGEST_LINE] == []


@every_page
def test_links_lead_somewhere(page: Path) -> None:
    for target in links_of(page):
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{page.name} links to {target!r}"
        if anchor:
            assert anchor in anchors_of(file), f"{page.name} links to {target!r}"


def test_the_first_program_of_the_readme_shows_right_answers_in_twelve_lines() -> None:
    """That it prints them is checked with the page."""
    blocks = blocks_of(ROOT / "README.md")
    place = next(n for n, block in enumerate(blocks) if block.language == "python")
    assert len(blocks[place].code.splitlines()) == 12
    assert blocks[place + 1].code.splitlines() == [
        "kettle sentiment='positive'",
        "chair sentiment='negative'",
    ]


def test_the_readme_installs_what_can_be_had() -> None:
    """The package is on no index yet: the README installs the clone."""
    blocks = blocks_of(ROOT / "README.md")
    installs = [block.code for block in blocks if "pip install" in block.code]
    assert installs == ["pip install '.[cli,local]'\n"]


def test_every_page_of_docs_is_in_the_index() -> None:
    index = ROOT / "docs" / "index.md"
    listed = {target for target in links_of(index) if target.endswith(".md")}
    there = {page.name for page in (ROOT / "docs").glob("*.md")}
    assert there - {"index.md"} <= listed


def test_every_example_is_in_the_readme() -> None:
    linked = set(links_of(ROOT / "README.md"))
    examples = {f"examples/{path.name}" for path in (ROOT / "examples").glob("*.py")}
    assert examples <= linked


def test_the_readme_lists_the_extras_that_there_are() -> None:
    table = re.findall(r"^\| `([a-z-]+)` +\|", prose_of(ROOT / "README.md"), re.MULTILINE)
    assert sorted(table) == sorted(EXTRAS)


def test_the_page_on_errors_explains_every_category() -> None:
    table = re.findall(r"^\| `([a-z_]+)` +\|", prose_of(ROOT / "docs" / "errors.md"), re.MULTILINE)
    assert set(get_args(ErrorCategory)) <= set(table)


@pytest.mark.parametrize("config", [ProcessorConfig(), RetryConfig(), RateLimitConfig()])
def test_the_page_on_settings_names_every_default(config: Any) -> None:
    prose = prose_of(ROOT / "docs" / "settings.md")
    for name in inspect.signature(type(config)).parameters:
        default = getattr(config, name)
        if name not in ("retry", "rate_limit"):
            shown = f"{default:g}" if isinstance(default, float) else str(default)
            assert re.search(rf"^\| `{name}` +\| `{re.escape(shown)}` +\|", prose, re.MULTILINE), (
                name
            )


def test_the_page_on_the_command_line_tells_commands_apart() -> None:
    """What is said of two commands' option in the same words has to be the same option."""
    prose = prose_of(ROOT / "docs" / "command-line.md")
    of_run, _, of_batch = prose.partition("\n## Half the price: batches\n")
    said_of_run, said_of_batch = dict(_OPTION.findall(of_run)), dict(_OPTION.findall(of_batch))
    assert said_of_batch
    app = typer.main.get_command(command_line)
    run, batch = _helps(app, "run"), _helps(app, "batch", "run")
    assert said_of_batch.keys() <= batch.keys()
    for name in said_of_run.keys() & said_of_batch.keys():
        assert said_of_run[name] != said_of_batch[name] or run[name] == batch[name], name


_OPTION = re.compile(r"^\| `(--[a-z-]+)[^|]*\| ([^|]+) \|$", re.MULTILINE)


def _helps(command: Any, *names: str) -> dict[str, str]:
    """Return what the help of a command says of its options."""
    for name in names:
        command = command.commands[name]
    return {name: each.help for each in command.params for name in each.opts if name[:2] == "--"}


def test_the_page_on_design_names_files_that_there_are() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    named = re.findall(r"\b(?:[a-z_]+/)+[a-z_]+\.py\b", text.replace("batch_llm/", "src/"))
    assert named
    package = ROOT / "src" / "batch_llm"
    missing = [name for name in named if not (package / name.removeprefix("src/")).is_file()]
    assert missing == []


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d[^\]]*)\]", changelog, re.MULTILINE)
    assert versions[0] == PROJECT["project"]["version"]


class Reader:
    """Does what a page says, block by block.

    Args:
        directory: where files are written and commands run.
        environment: where a simulator that the page starts leads the SDKs to itself.

    Attributes:
        module: the page's namespace.
    """

    def __init__(self, directory: Path, environment: pytest.MonkeyPatch) -> None:
        self._directory = directory
        self._environment = environment
        self._servers: list[subprocess.Popen[str]] = []
        # A module of its own: pydantic and dataclasses look their names up in one.
        self.module = types.ModuleType("page")
        self._printed = ""

    def read(self, block: Block, runner: asyncio.Runner) -> list[WorkItemResult[Any, Any]]:
        """Run, write or check one block; return the failed results that it leaves behind."""
        before = {id(value) for value in self.module.__dict__.values()}
        self._read(block, runner)
        new = [value for value in self.module.__dict__.values() if id(value) not in before]
        results = [each for value in new for each in _results_in(value)]
        return [result for result in results if not result.success]

    def _read(self, block: Block, runner: asyncio.Runner) -> None:
        if block.title is not None:
            (self._directory / block.title).write_text(block.code, encoding="utf-8")
        elif block.language == "python":
            self._printed = self._run_python(block, runner)
        elif block.language == "sh":
            self._printed = "".join(self._run_command(line, block) for line in _commands(block))
        elif block.shows_what_was_printed:
            assert self._printed == block.code, f"{block} shows what is not printed"

    def _run_python(self, block: Block, runner: asyncio.Runner) -> str:
        # Line numbers as in the page, so that a traceback points there.
        source = "\n" * (block.line - 1) + block.code
        code = compile(source, str(block.page), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            running = eval(code, self.module.__dict__)
            if inspect.iscoroutine(running):
                runner.run(running)
        return printed.getvalue()

    def _run_command(self, command: str, block: Block) -> str:
        words = shlex.split(command, comments=True)
        if words[:2] == ["batch-llm", "simulate"] and words[-1] == "&":
            self._simulate(words[:-1])
            return ""
        if words[0] in CHECKS:
            CHECKS[words[0]](words[1:])
            return ""
        assert words[0] in ("batch-llm", "python", "cat"), f"{block}: cannot check {command!r}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{block}: {command}\n{done.stderr}"
        return done.stdout

    def _simulate(self, words: list[str]) -> None:
        port = words.index("--port") + 1
        assert words[port].isdecimal()
        server = subprocess.Popen(
            [*words[:port], "0", *words[port + 1 :]], stdout=subprocess.PIPE, text=True
        )
        self._servers.append(server)
        assert server.stdout is not None
        assert "Ctrl-C" in server.stdout.readline()
        for _ in range(6):
            name, _, value = server.stdout.readline().removeprefix("export ").partition("=")
            self._environment.setenv(name, value.strip())

    def close(self) -> None:
        """Stop what the page started."""
        for server in self._servers:
            server.terminate()
            server.communicate(timeout=30)


def _results_in(value: object) -> list[WorkItemResult[Any, Any]]:
    if isinstance(value, BatchResult):
        return value.results
    return [value] if isinstance(value, WorkItemResult) else []


def _commands(block: Block) -> list[str]:
    joined = block.code.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def _check_make(words: list[str]) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in words:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE), f"make {target}"


def _check_pip(words: list[str]) -> None:
    assert words[0] == "install"
    for requirement in words[1:]:
        name = re.match(r"(?:batch-llm|\.)(?:\[(?P<extras>[^\]]+)\])?$", requirement)
        if name is not None and name["extras"]:
            assert set(name["extras"].split(",")) <= set(EXTRAS), requirement


def _check_script(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK), name


def _check_nothing(words: list[str]) -> None:
    """Some commands are beyond a test: what they do is in other hands."""


CHECKS = {
    "make": _check_make,
    "pip": _check_pip,
    ".ci/run": lambda words: _check_script(".ci/run"),
    "git": _check_nothing,
    "uv": _check_nothing,
    "export": _check_nothing,
    "uvicorn": _check_nothing,
}
