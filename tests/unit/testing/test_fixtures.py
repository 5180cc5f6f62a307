"""The pytest fixtures, in a project of their own, as a user has them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CONFTEST = 'pytest_plugins = ["batch_llm.testing.fixtures"]\n'

OWN_SETTINGS = """
import pytest
from batch_llm.testing.simulator import SimulatorSettings

@pytest.fixture(scope="session")
def simulator_settings():
    return SimulatorSettings(answers="echo", keys=("mine",))
"""

TESTS = """
import os
import urllib.request

import pytest

def test_where_the_providers_are(
    simulator, openai_base_url, anthropic_base_url, gemini_base_url
):
    assert openai_base_url == simulator.base_url + "/openai/v1"
    assert anthropic_base_url == simulator.base_url + "/anthropic"
    assert gemini_base_url == simulator.base_url + "/gemini"

@pytest.mark.parametrize("again", [1, 2])
def test_each_test_finds_it_as_new(simulator, again):
    assert len(simulator.books.records) == 0
    body = b'{"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]}'
    request = urllib.request.Request(
        simulator.openai_base_url + "/chat/completions",
        body,
        {"Authorization": "Bearer mine", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        assert b"hello" in answer.read()
    assert len(simulator.books.records) == 1

def test_the_environment(simulator_environment, simulator):
    assert os.environ["OPENAI_BASE_URL"] == simulator.openai_base_url
    assert simulator_environment["ANTHROPIC_BASE_URL"] == os.environ["ANTHROPIC_BASE_URL"]

def test_the_environment_is_as_it_was():
    assert "OPENAI_BASE_URL" not in os.environ
"""


def _run_project(folder: Path, **files: str) -> str:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    environment = {"PATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )
    return ended.stdout + ended.stderr


def test_the_fixtures_in_a_users_project(tmp_path: Path) -> None:
    printed = _run_project(tmp_path, conftest=CONFTEST, test_mine=TESTS)
    assert "5 passed" in printed, printed


def test_a_users_own_settings(tmp_path: Path) -> None:
    tests = TESTS.replace("Bearer mine", "Bearer wrong-one")
    settings = CONFTEST + OWN_SETTINGS
    assert "5 passed" in _run_project(tmp_path, conftest=settings, test_mine=TESTS)
    printed = _run_project(tmp_path, conftest=settings, test_mine=tests)
    assert "401" in printed, printed
