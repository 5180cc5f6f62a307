from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from batch_llm.exceptions import MissingExtraError, MissingKeyError
from batch_llm.llm_strategies.gemini import client as client_module
from batch_llm.llm_strategies.gemini.client import EnvironmentClient


def test_no_key_is_an_error_at_once() -> None:
    with pytest.raises(MissingKeyError, match="GEMINI_API_KEY"):
        EnvironmentClient({"GEMINI_API_KEY": ""})


def test_no_sdk_is_an_error_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_there(name: str) -> None:
        raise ModuleNotFoundError(name)

    for find in (not_there, lambda name: None):
        monkeypatch.setattr(client_module, "find_spec", find)
        with pytest.raises(MissingExtraError, match=r"batch-llm\[gemini\]"):
            EnvironmentClient({"GEMINI_API_KEY": "k"})


def test_the_process_own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEMINI_API_KEY", raising=False)
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    with pytest.raises(MissingKeyError):
        EnvironmentClient()


async def test_one_client_until_it_is_closed() -> None:
    pytest.importorskip("google.genai", reason="the extra 'gemini' is not installed")
    source = EnvironmentClient({"GOOGLE_API_KEY": "first", "GEMINI_API_KEY": "second"})
    await source.aclose()
    client = source.open()
    assert source.open() is client
    await source.aclose()
    await source.aclose()
    assert source.open() is not client
    await source.aclose()


@pytest.mark.parametrize("name", ["gemini", "gemini.cached", "gemini.response"])
def test_importing_a_strategy_imports_no_sdk(name: str) -> None:
    code = (
        f"import sys, batch_llm.llm_strategies.{name}, batch_llm.classifiers\n"
        "print([m for m in ('google.genai', 'pydantic', 'httpx2', 'aiohttp') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert done.stdout.strip() == "[]"


def test_no_key_in_a_repr() -> None:
    assert importlib.util.find_spec("batch_llm") is not None
    assert "secret" not in repr(EnvironmentClient({"GEMINI_API_KEY": "secret-0123456789"}))
