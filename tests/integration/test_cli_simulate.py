"""`batch-llm simulate`, as a program of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx2
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTION = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]}


@contextmanager
def _simulating(*options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run the command; give the process and the environment variables that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "batch_llm", "simulate", "--port", "0", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        opening = process.stdout.readline()
        assert "Ctrl-C stops it" in opening, opening
        variables = {}
        for _ in range(6):
            name, _, value = process.stdout.readline().removeprefix("export ").partition("=")
            variables[name] = value.strip()
        yield process, variables
    finally:
        process.kill()
        process.communicate()


def _ask(variables: dict[str, str]) -> httpx2.Response:
    return httpx2.post(
        f"{variables['OPENAI_BASE_URL']}/chat/completions",
        json=QUESTION,
        headers={"Authorization": f"Bearer {variables['OPENAI_API_KEY']}"},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_until_it_is_stopped_and_tells_its_books(number: signal.Signals) -> None:
    with _simulating() as (process, variables):
        assert _ask(variables).json()["choices"][0]["message"]["content"] == "hello"
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Stopped." in said
        assert "1 call of models (1 answered)" in said


def test_options_reach_the_simulator() -> None:
    with _simulating("--fault", "503", "--key", "simulated") as (_, variables):
        assert _ask(variables).status_code == 503
        assert _ask({**variables, "OPENAI_API_KEY": "other"}).status_code == 401


def test_a_port_that_is_taken_is_refused() -> None:
    with _simulating() as (_, variables):
        port = variables["OPENAI_BASE_URL"].split(":")[2].partition("/")[0]
        second = subprocess.run(
            [sys.executable, "-m", "batch_llm", "simulate", "--port", port],
            capture_output=True,
            text=True,
            check=False,
        )
        assert second.returncode == 2
        assert "another port" in second.stderr
        assert "Traceback" not in second.stderr


def test_an_option_that_cannot_be_is_refused() -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "batch_llm", "simulate", "--fault", "nonsense"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 2
    assert "no such kind" in refused.stderr
    assert "Traceback" not in refused.stderr
