"""Models by name."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from pydantic import BaseModel
from tests.gemini_server import MODEL, FakeGemini, answer, serving
from tests.messages_server import messages_server

from batch_llm.base import PricedModel
from batch_llm.exceptions import ConfigurationError, InputError, MissingKeyError
from batch_llm.llm_strategies.anthropic import AnthropicStrategy
from batch_llm.llm_strategies.by_name import (
    FORMS,
    USUAL_WORKERS,
    strategies_by_name,
    strategy_by_name,
    usual_workers,
)
from batch_llm.llm_strategies.gemini.request import GeminiRequestStrategy
from batch_llm.llm_strategies.local import USUAL_SLOTS, LocalModelStrategy
from batch_llm.llm_strategies.openai_compatible import OpenAICompatibleStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


needs_llama = pytest.mark.skipif(
    find_spec("xllamacpp") is None, reason="the extra 'local' is not installed"
)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL")):
            monkeypatch.delenv(name)


class TestNames:
    def test_openai(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "k")

        strategy = strategy_by_name("openai:gpt-5")

        assert isinstance(strategy, OpenAICompatibleStrategy)
        assert repr(strategy) == "OpenAICompatibleStrategy('gpt-5' at api.openai.com)"

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_an_address(self, scheme: str) -> None:
        strategy = strategy_by_name(f"{scheme}://example.test:8000/v1#Qwen/Qwen3:4b")

        assert repr(strategy) == ("OpenAICompatibleStrategy('Qwen/Qwen3:4b' at example.test:8000)")

    def test_anthropic(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")

        strategy = strategy_by_name("anthropic:claude-opus-4-5")

        assert isinstance(strategy, AnthropicStrategy)
        assert repr(strategy) == "AnthropicStrategy('claude-opus-4-5' at api.anthropic.com)"

    def test_gemini(self) -> None:
        strategy = strategy_by_name("gemini:gemini-2.5-flash", api_key="k")

        assert isinstance(strategy, GeminiRequestStrategy)
        assert strategy.model == "gemini-2.5-flash"

    @needs_llama
    def test_local(self) -> None:
        strategy = strategy_by_name("local", parallel_slots=2)

        assert isinstance(strategy, LocalModelStrategy)
        assert (strategy.model, strategy.parallel_slots) == ("smollm2", 2)

    @needs_llama
    def test_a_local_file(self, tmp_path: Path) -> None:
        path = tmp_path / "C:tiny.gguf"
        path.write_bytes(b"GGUF" + bytes(100))

        strategy = strategy_by_name(f"local:{path}")

        assert isinstance(strategy, LocalModelStrategy)
        assert strategy.model == str(path)
        with pytest.raises(ConfigurationError, match=r"none\.gguf"):
            strategy_by_name("local:none.gguf")

    @pytest.mark.parametrize(
        ("spec", "meant"),
        [
            ("openia:gpt-5", "openai:gpt-5"),
            ("OpenAI:gpt-5", "openai:gpt-5"),
            ("antropic:c", "anthropic:c"),
            ("lcoal", "local"),
            ("local:", "local"),
            ("htp://host/v1#m", "http://host/v1#m"),
        ],
    )
    def test_a_near_miss_gets_a_hint(self, spec: str, meant: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            strategy_by_name(spec)
        assert str(caught.value).endswith(f"Did you mean {meant!r}?")

    @pytest.mark.parametrize("spec", ["", ":", "gpt-5", "openai", "openai:", "ftp://host#m"])
    def test_any_other_name_gets_all_forms(self, spec: str) -> None:
        with pytest.raises(ConfigurationError) as caught:
            strategy_by_name(spec)
        assert all(form in str(caught.value) for form in FORMS)
        assert "Did you mean" not in str(caught.value)

    def test_an_address_without_a_model_is_refused_unquoted(self) -> None:
        with pytest.raises(ConfigurationError, match="names none") as caught:
            strategy_by_name("http://user:password@host/v1")
        assert "password" not in str(caught.value)


class TestNeeds:
    @pytest.mark.parametrize(
        ("spec", "variable"),
        [
            ("openai:gpt-5", "OPENAI_API_KEY"),
            ("gemini:g", "GEMINI_API_KEY"),
            ("anthropic:c", "ANTHROPIC_API_KEY"),
        ],
    )
    def test_a_key_is_needed(self, spec: str, variable: str) -> None:
        with pytest.raises(MissingKeyError, match=variable):
            strategy_by_name(spec)
        strategy_by_name(spec, api_key="k")

    @pytest.mark.parametrize("spec", ["http://host/v1#m", "gemini:g", "anthropic:c"])
    def test_options_are_checked(self, spec: str) -> None:
        with pytest.raises(InputError, match="temperature"):
            strategy_by_name(spec, api_key="k", temperature=-1)


@needs_llama
def test_a_local_model_has_a_worker_for_each_slot() -> None:
    assert usual_workers(strategy_by_name("local")) == USUAL_SLOTS
    assert usual_workers(strategy_by_name("local", parallel_slots=3)) == 3


def test_a_model_elsewhere_has_the_usual_workers() -> None:
    assert usual_workers(strategy_by_name("http://host/v1#m")) == USUAL_WORKERS


class Legs(BaseModel):
    spider: int


class TestAnthropicRequests:
    """No SDK: a small server on this machine."""

    async def test_a_request_is_asked_with_the_options(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with messages_server() as server:
            monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
            strategy = strategy_by_name(
                "anthropic:claude", system="Be brief.", output_schema=Legs, max_output_tokens=7
            )
            output, usage = await strategy.execute("How many?", 1, 10.0)
            await strategy.aclose()

        assert output == Legs(spider=1)
        assert usage["input_tokens"] > 0
        (body,) = server.requests
        assert (body["model"], body["system"], body["max_tokens"]) == ("claude", "Be brief.", 7)


class TestGeminiRequests:
    """Google's SDK, which talks to a small server on this machine."""

    pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

    @pytest.fixture
    def gemini(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGemini]:
        with serving() as fake:
            monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", fake.address)
            yield fake

    async def test_a_text_is_asked_with_the_options(self, gemini: FakeGemini) -> None:
        strategy = strategy_by_name(
            f"gemini:{MODEL}",
            api_key="k",
            system="Be brief.",
            temperature=0.5,
            max_output_tokens=7,
            stop=("END",),
        )

        output, _ = await strategy.execute("How many?", 1, 10.0)
        await strategy.aclose()

        assert output == "Eight and six."
        (body,) = gemini.sent("POST", f"models/{MODEL}:generateContent")
        assert "Be brief." in str(body["systemInstruction"])
        assert body["generationConfig"] == {
            "temperature": 0.5,
            "maxOutputTokens": 7,
            "stopSequences": ["END"],
        }

    async def test_an_answer_fits_the_schema(self, gemini: FakeGemini) -> None:
        gemini.answer = answer('{"spider": 8}')
        strategy = strategy_by_name(f"gemini:{MODEL}", api_key="k", output_schema=Legs)

        output, _ = await strategy.execute("How many?", 1, 10.0)
        await strategy.aclose()

        assert output == Legs(spider=8)

    async def test_a_dry_run_makes_no_call(self, gemini: FakeGemini) -> None:
        strategy = strategy_by_name(f"gemini:{MODEL}", api_key="k")

        output, usage = await strategy.dry_run("How many?")

        assert "dry run" in output
        assert usage["total_tokens"] > 0
        assert gemini.sent("POST", f"models/{MODEL}:generateContent") == []


@pytest.mark.parametrize("spec", ["http://h/v1#tiny", "openai:tiny", "anthropic:tiny"])
def test_what_calls_are_billed_as_can_be_said(spec: str) -> None:
    strategy = strategy_by_name(spec, api_key="k", priced_as="openai:gpt-5-mini")

    assert strategy.priced_as == PricedModel("openai", "gpt-5-mini")


@pytest.mark.parametrize("spec", ["gemini:g", "local"])
def test_it_cannot_be_said_where_it_is_known(spec: str) -> None:
    with pytest.raises(ConfigurationError, match="priced_as is for models at an address"):
        strategy_by_name(spec, api_key="k", priced_as="openai:gpt-5-mini")


class TestSeveral:
    def test_they_escalate_in_order(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "k")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "k")

        class City(BaseModel):
            name: str

        specs = ["openai:gpt-5-nano", "anthropic:claude-sonnet-4-5"]
        strategy = strategies_by_name(specs, output_schema=City)

        assert [type(member) for member in strategy.members] == [
            OpenAICompatibleStrategy,
            AnthropicStrategy,
        ]
        assert strategy.output_type("") is City

    def test_one_text_is_no_list_and_no_names_are_none(self) -> None:
        with pytest.raises(ConfigurationError, match="a list of models' names, not one text"):
            strategies_by_name("openai:gpt-5")
        with pytest.raises(ConfigurationError, match="has no strategies"):
            strategies_by_name([])
        with pytest.raises(ConfigurationError, match="There is no model 'opnai:x'"):
            strategies_by_name(["opnai:x"])
