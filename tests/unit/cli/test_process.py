"""Whether a process is there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from batch_llm.cli.process import is_alive


def test_this_process_is() -> None:
    assert is_alive(os.getpid())


def test_one_that_has_ended_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()

    assert not is_alive(process.pid)


def test_one_of_another_user_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, sign: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)

    assert is_alive(1)


def test_where_asking_might_end_it_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "name", "nt")

    assert is_alive(os.getpid()) is None
