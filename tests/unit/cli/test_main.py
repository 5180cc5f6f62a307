"""The way in."""

from __future__ import annotations

import subprocess
import sys

import pytest

import batch_llm
from batch_llm.cli import main


@pytest.mark.parametrize("absent", ["typer", "rich"])
def test_without_its_extra_it_says_how_to_install_it(
    absent: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("batch_llm.cli.find_spec", lambda name: None if name == absent else name)

    assert main(["--version"]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("pip install 'batch-llm[cli]'")


def test_shows_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"batch-llm {batch_llm.__version__}\n"


def test_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    assert "--max-workers" in capsys.readouterr().out


def test_a_usage_error_is_2() -> None:
    assert main(["run", "--no-such-option"]) == 2
    assert main(["no-such-command"]) == 2


def test_help_waits_for_no_library() -> None:
    """Showing help should take no longer than Typer itself takes."""
    program = (
        "import sys; from batch_llm.cli import main; main(['run', '--help']);"
        "sys.exit(bool({'msgspec', 'asyncio', 'batch_llm.base'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0
