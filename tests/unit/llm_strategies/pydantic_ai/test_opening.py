"""Models by name: what they need, and that it is asked for before any call."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.exceptions import ConfigurationError, MissingExtraError, MissingKeyError
from batch_llm.llm_strategies.pydantic_ai.opening import ModelByName, quota_scope

if TYPE_CHECKING:
    from collections.abc import Callable

VARIABLES = (
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_BASE_URL",
    "GOOGLE_API_KEY",
    "GEMINI_API_KEY",
)


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a module look as if it were not installed."""
    find_spec = importlib.util.find_spec

    def hide(module: str) -> None:
        def find(name: str, package: str | None = None) -> Any:
            return None if name == module else find_spec(name, package)

        monkeypatch.setattr("batch_llm.llm_strategies.pydantic_ai.opening.find_spec", find)

    return hide


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("openai:gpt-5", "OPENAI_API_KEY"),
        ("openai-chat:gpt-5", "OPENAI_API_KEY"),
        ("anthropic:claude-sonnet-5-5", "ANTHROPIC_API_KEY"),
        ("google:gemini-4-carbon", "GEMINI_API_KEY"),
    ],
)
def test_names_the_variable_of_a_missing_key(
    name: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for ask in (ModelByName(name).check, ModelByName(name).open):
        with pytest.raises(MissingKeyError, match=variable):
            ask()
    ModelByName(name, api_key="k").check()
    monkeypatch.setenv(variable, "k")
    ModelByName(name).check()


def test_a_server_elsewhere_may_need_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    ModelByName("openai-chat:m", base_url="http://127.0.0.1:1/v1").check()
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    ModelByName("openai-chat:m").check()
    with pytest.raises(MissingKeyError):
        ModelByName("anthropic:m", base_url="http://127.0.0.1:1").check()


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("openai:gpt-5", "pydantic_ai", "[openai]"),
        ("openai:gpt-5", "openai", "[openai]"),
        ("anthropic:claude-sonnet-5-5", "anthropic", "[anthropic]"),
        ("google:gemini-4-carbon", "google.genai", "[pydantic-ai,gemini]"),
        ("groq:llama", "pydantic_ai", "[pydantic-ai]"),
    ],
)
def test_names_the_extra_that_is_missing(
    name: str, module: str, extra: str, without: Callable[[str], None]
) -> None:
    without(module)
    with pytest.raises(MissingExtraError) as missing:
        ModelByName(name, api_key="k").check()
    assert extra in str(missing.value)
    assert name in str(missing.value)


def test_refuses_a_name_without_a_provider() -> None:
    with pytest.raises(ConfigurationError, match=r"'provider:model'.*not 'gpt-5'"):
        ModelByName("gpt-5")


@pytest.mark.parametrize("options", [{}, {"api_key": "k"}])
def test_refuses_a_provider_that_the_library_does_not_know(options: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="cannot be opened"):
        ModelByName("nonesuch:m", **options).open()


def test_hands_on_what_the_library_says_of_other_providers() -> None:
    with pytest.raises(ConfigurationError, match="groq"):
        ModelByName("groq:llama").open()
    with pytest.raises(MissingKeyError, match="DEEPSEEK_API_KEY"):
        ModelByName("deepseek:deepseek-flash").open()


def test_says_which_parameter_a_provider_does_not_take() -> None:
    with pytest.raises(ConfigurationError, match="takes no base_url"):
        ModelByName("deepseek:deepseek-flash", base_url="http://x.test", api_key="k").open()


def test_scope_tells_models_addresses_and_keys_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    scopes = [
        ModelByName("openai:a", "key-1").scope,
        ModelByName("openai:b", "key-1").scope,
        ModelByName("openai:a", "key-2").scope,
        ModelByName("openai:a", "key-1", "http://other.test/v1").scope,
    ]
    assert len(set(scopes)) == 4
    assert not any("key-" in scope for scope in scopes)
    assert ModelByName("openai:a", "key-1").scope == scopes[0]
    monkeypatch.setenv("OPENAI_API_KEY", "key-1")
    assert ModelByName("openai:a").scope == scopes[0]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://other.test/v1")
    assert ModelByName("openai:a").scope == scopes[3]


def test_scope_holds_the_host_and_no_user_or_path() -> None:
    assert quota_scope("m", "https://user:secret@host.test:8/v1", None) == "m@host.test:8"
    assert quota_scope("m", None, None) == "m"


def test_its_repr_shows_no_key() -> None:
    assert "key-1" not in repr(ModelByName("openai:a", "key-1"))


def test_checking_imports_neither_the_library_nor_an_sdk() -> None:
    program = (
        "import sys\n"
        "from batch_llm.llm_strategies.pydantic_ai.model import PydanticAIModelStrategy\n"
        "import batch_llm.llm_strategies.pydantic_ai.strategy\n"
        "PydanticAIModelStrategy('anthropic:m', api_key='k').check()\n"
        "print({'pydantic_ai', 'anthropic', 'openai'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ},
    )
    assert done.stdout.strip() == "set()"
