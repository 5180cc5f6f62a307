"""Two type checkers read code as users write it, and code with the mistakes users make."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MISTAKES = HERE / "user_mistakes.py"
USER_CODE = sorted({*HERE.glob("*.py")} - {MISTAKES, Path(__file__)})
# The first run of a checker reads every library that is imported.
pytestmark = pytest.mark.timeout(900)


def checked(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def expected() -> dict[int, str]:
    """Return the error code marked on each line of the file of mistakes."""
    lines = MISTAKES.read_text().splitlines()
    marks = {number: re.search(r"# E: (\S+)$", line) for number, line in enumerate(lines, 1)}
    return {number: mark[1] for number, mark in marks.items() if mark}


def test_mypy_accepts_what_users_write() -> None:
    done = checked("mypy", "--strict", *USER_CODE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_pyright_accepts_what_users_write() -> None:
    done = checked("pyright", *USER_CODE)
    assert done.returncode == 0, done.stdout + done.stderr


def test_mypy_reports_each_mistake_and_nothing_else() -> None:
    done = checked("mypy", "--strict", "--hide-error-context", MISTAKES)
    errors = re.findall(r":(\d+): error: .*\[([a-z-]+)\]$", done.stdout, re.MULTILINE)
    assert {int(line): code for line, code in errors} == expected(), done.stdout + done.stderr


def test_pyright_reports_the_same_lines(tmp_path: Path) -> None:
    # Where it stands it is excluded, so that the project as a whole has no errors.
    copy = shutil.copy(MISTAKES, tmp_path)
    done = checked("pyright", "--outputjson", copy)
    errors = json.loads(done.stdout)["generalDiagnostics"]
    lines = {error["range"]["start"]["line"] + 1 for error in errors}
    assert lines == set(expected()), done.stdout
