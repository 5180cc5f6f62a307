"""One contract for what all built-in strategies say of themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.fake_llama import FakeEngine, install
from tests.fake_transport import FakeTransport

from batch_llm import (
    AnthropicStrategy,
    ConfigurationError,
    EscalatingStrategy,
    GeminiCachedStrategy,
    GeminiResponse,
    GeminiStrategy,
    LLMRequest,
    LocalModelStrategy,
    OpenAICompatibleStrategy,
    PydanticAIModelStrategy,
    PydanticAIStrategy,
    StrategyPool,
)
from batch_llm.base.request import RequestDefaults
from batch_llm.llm_strategies.gemini.request import GeminiRequestStrategy
from batch_llm.llm_strategies.http import Reply
from batch_llm.testing import MockAgent, mock_strategy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECRET = "sk-SECRET-0123456789"
PROMPT = "What colour has the sky?"
LONG = "The rules of the house. " * 400


class Colour(BaseModel):
    name: str


class Shade(BaseModel):
    name: str
    depth: int


def parse_words(response: Any) -> int:
    return len(response.text.split())


def parse_other(response: Any) -> str:
    return str(response.text)


def openai(**options: Any) -> Any:
    given = {"base_url": "http://models.example/v1", "api_key": SECRET, **options}
    return OpenAICompatibleStrategy(given.pop("model", "m"), **given)


def anthropic(**options: Any) -> Any:
    given = {"base_url": "http://models.example", "api_key": SECRET, **options}
    return AnthropicStrategy(given.pop("model", "m"), **given)


def gemini(**options: Any) -> Any:
    given = {"client": None, **options}
    return GeminiStrategy(given.pop("model", "m"), **given)


def gemini_cached(**options: Any) -> Any:
    given = {"client": None, "response_parser": None, "cached_content": LONG, **options}
    return GeminiCachedStrategy(given.pop("model", "m"), **given)


def gemini_request(**options: Any) -> Any:
    model, repair = options.pop("model", "m"), options.pop("repair", True)
    return GeminiRequestStrategy(model, None, RequestDefaults(**options), repair=repair)


def pydantic_ai(**options: Any) -> Any:
    given = {"api_key": SECRET, "base_url": "http://models.example/v1", **options}
    return PydanticAIModelStrategy(given.pop("model", "openai-chat:m"), **given)


def local(**options: Any) -> Any:
    return LocalModelStrategy(**options)


def agent(**options: Any) -> Any:
    given = {"agent": MockAgent(latency=0), "fingerprint": "one", **options}
    return PydanticAIStrategy(**given)


SAMPLING: dict[str, Any] = {
    "system": "Be brief.",
    "output_schema": Colour,
    "temperature": 0.5,
    "top_p": 0.5,
    "max_output_tokens": 7,
    "stop": ["END"],
    "seed": 3,
}
GEMINI_CONFIG: dict[str, Any] = {"temperature": 0.5, "systemInstruction": "Be brief."}


@dataclass(frozen=True)
class Kind:
    """One built-in strategy.

    Attributes:
        make: makes one of settings.
        telling: settings that change answers, each of which changes the fingerprint.
        silent: settings that do not.
    """

    make: Callable[..., Any]
    telling: Mapping[str, Any]
    silent: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.make.__name__


HTTP_TELLING: dict[str, Any] = {
    **SAMPLING,
    "model": "other",
    "base_url": "http://models.example:81/v1",
    "extra_body": {"thinking": {"budget": 1}},
    "headers": {"Anthropic-Beta": "one"},
}
HTTP_SILENT: dict[str, Any] = {
    "api_key": "another",
    "headers": {"X-Team": "maps"},
    "transport": "httpx2",
    "repair": False,
}

KINDS = [
    Kind(
        openai,
        {**HTTP_TELLING, "token_limit_field": "max_completion_tokens"},
        {**HTTP_SILENT, "base_url": "https://models.example/v1/?key=k"},
    ),
    Kind(anthropic, HTTP_TELLING, {**HTTP_SILENT, "system_cache_ttl": "5m"}),
    Kind(
        gemini,
        {
            "model": "other",
            "config": GEMINI_CONFIG,
            "response_parser": parse_words,
            "include_metadata": True,
        },
        {"repair": False, "config": {"http_options": {"timeout": 5}}, "model": "models/m"},
    ),
    Kind(
        gemini_cached,
        {"model": "other", "cached_content": LONG * 2, "config": GEMINI_CONFIG},
        {"cache_ttl_seconds": 600, "cache_tags": {"a": "b"}, "repair": False},
    ),
    Kind(gemini_request, {"model": "other", **SAMPLING}, {"repair": False}),
    Kind(
        pydantic_ai,
        {
            **SAMPLING,
            "model": "openai-chat:other",
            "base_url": "http://models.example:81/v1",
            "model_settings": {"parallel_tool_calls": False},
        },
        {"api_key": "another", "model_settings": {"timeout": 3.0}, "repair": False},
    ),
    Kind(
        local,
        SAMPLING,
        {"parallel_slots": 2, "context_tokens": 512, "threads": 1, "repair": False},
    ),
    Kind(agent, {"fingerprint": "two"}),
]
CASES = [(kind, name, value) for kind in KINDS for name, value in kind.telling.items()]
SILENT_CASES = [(kind, name, value) for kind in KINDS for name, value in kind.silent.items()]


def _ids(value: object) -> str:
    return value.name if isinstance(value, Kind) else value if isinstance(value, str) else ""


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper().endswith(("_API_KEY", "_BASE_URL", "_PROXY")):
            monkeypatch.delenv(name)
    install(monkeypatch, FakeEngine())


every_kind = pytest.mark.parametrize("kind", KINDS, ids=_ids)


# --- fingerprints --------------------------------------------------------------------------


def print_fingerprints() -> None:
    """Print all of them, where llama.cpp need not be installed."""
    with pytest.MonkeyPatch.context() as patch:
        install(patch, FakeEngine())
        print(json.dumps(all_fingerprints()))


def all_fingerprints() -> dict[str, list[str]]:
    """Return those of every kind, with no setting, and with each that tells."""
    return {
        kind.name: [
            kind.make().fingerprint(),
            *(kind.make(**{name: value}).fingerprint() for name, value in kind.telling.items()),
        ]
        for kind in KINDS
    }


def test_another_process_says_the_same() -> None:
    code = "import tests.contract.test_strategy_identity as here; here.print_fingerprints()"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(path for path in (str(Path.cwd()), *sys.path) if path),
        "PYTHONHASHSEED": "7",
    }
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    assert json.loads(run.stdout) == all_fingerprints()


@every_kind
def test_equal_settings_are_one_and_short(kind: Kind) -> None:
    text = kind.make().fingerprint()
    assert kind.make().fingerprint() == text
    assert 0 < len(text) < 200
    assert text.isprintable()


@pytest.mark.parametrize(("kind", "name", "value"), CASES, ids=_ids)
def test_what_changes_answers_tells(kind: Kind, name: str, value: object) -> None:
    assert kind.make(**{name: value}).fingerprint() != kind.make().fingerprint()


@pytest.mark.parametrize(("kind", "name", "value"), SILENT_CASES, ids=_ids)
def test_what_changes_no_answer_does_not_tell(kind: Kind, name: str, value: object) -> None:
    assert kind.make(**{name: value}).fingerprint() == kind.make().fingerprint()


def test_all_settings_of_all_kinds_are_told_apart() -> None:
    texts = [text for texts in all_fingerprints().values() for text in texts]
    assert len(set(texts)) == len(texts)


@pytest.mark.parametrize("make", [openai, anthropic])
def test_no_secret_is_in_it(make: Callable[..., Any]) -> None:
    strategy = make(
        base_url=f"http://models.example/{SECRET}/v1?key={SECRET}",
        headers={"Authorization": f"Bearer {SECRET}"},
        system=f"{SECRET} {PROMPT}",
        extra_body={"user": SECRET},
    )
    assert SECRET not in strategy.fingerprint()
    assert PROMPT not in strategy.fingerprint()


def test_the_order_of_properties_tells_and_that_of_further_fields_does_not() -> None:
    """Models write the properties in the order of the schema."""

    def schema(*names: str) -> dict[str, Any]:
        return {"type": "object", "properties": {name: {"type": "string"} for name in names}}

    there = openai(output_schema=schema("reason", "verdict")).fingerprint()
    assert openai(output_schema=schema("verdict", "reason")).fingerprint() != there
    one = openai(extra_body={"a": 1, "b": [2.0]}).fingerprint()
    assert openai(extra_body={"b": [2], "a": 1}).fingerprint() == one


def test_zero_is_zero() -> None:
    assert openai(temperature=0).fingerprint() == openai(temperature=0.0).fingerprint()
    assert openai(temperature=0).fingerprint() != openai().fingerprint()


def test_a_model_and_its_bare_schema_are_two() -> None:
    bare = openai(output_schema=Colour.model_json_schema())
    assert bare.fingerprint() != openai(output_schema=Colour).fingerprint()


values = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b"])
settings_drawn = st.fixed_dictionaries(
    {},
    optional={
        "system": st.sampled_from(["a", "b"]),
        "output_schema": st.sampled_from([Colour, Shade, {"type": "string"}]),
        "temperature": st.sampled_from([0, 0.5, 1]),
        "top_p": st.sampled_from([0.5, 1]),
        "max_output_tokens": st.integers(1, 3),
        "stop": st.lists(st.sampled_from(["a", "b"]), max_size=2),
        "seed": st.integers(0, 2),
        "extra_body": st.dictionaries(st.sampled_from(["user", "tier"]), values, max_size=2),
        "model": st.sampled_from(["m", "n"]),
    },
)


@pytest.mark.parametrize("make", [openai, anthropic])
@given(one=settings_drawn, other=settings_drawn)
def test_requests_with_one_fingerprint_have_one_body(
    make: Callable[..., Any], one: dict[str, Any], other: dict[str, Any]
) -> None:
    first, second = make(**one), make(**other)
    bodies = [s._compose(s._defaults.apply(PROMPT)) for s in (first, second)]
    if bodies[0] != bodies[1]:
        assert first.fingerprint() != second.fingerprint()
    assert make(**dict(reversed(one.items()))).fingerprint() == first.fingerprint()


class Louder(OpenAICompatibleStrategy[str]):
    """A subclass that says nothing of itself."""


class Loudest(Louder):
    """One that does."""

    def fingerprint(self) -> str:
        return f"{super().fingerprint()} loudest"


def test_a_subclass_says_itself_what_it_adds() -> None:
    with pytest.raises(ConfigurationError, match=r"Louder.*super\(\)\.fingerprint\(\)"):
        Louder("m", base_url="http://models.example/v1").fingerprint()
    told = Loudest("m", base_url="http://models.example/v1").fingerprint()
    assert told.endswith(" loudest")
    assert told.removesuffix(" loudest") != openai().fingerprint()


class TestGeminiParts:
    def test_a_parser_without_a_name_is_refused(self) -> None:
        strategy = gemini(response_parser=lambda response: response.text)
        with pytest.raises(ConfigurationError, match=r"lambda.*def at the top of a module"):
            strategy.fingerprint()

    def test_parsers_are_told_apart_by_name(self) -> None:
        told = {gemini(response_parser=p).fingerprint() for p in (parse_words, parse_other)}
        assert len(told) == 2

    def test_a_method_of_a_class_has_a_name_and_one_of_an_object_has_none(self) -> None:
        assert gemini(response_parser=Colour.model_validate_json).fingerprint()
        with pytest.raises(ConfigurationError, match="method of an object"):
            gemini(response_parser="{}".format).fingerprint()

    def test_config_may_be_the_sdks_own(self) -> None:
        types = pytest.importorskip("google.genai.types")

        tool = types.Tool(google_search=types.GoogleSearch())
        made = [
            types.GenerateContentConfig(temperature=0.5),
            types.GenerateContentConfig(temperature=0.5, tools=[tool]),
            types.GenerateContentConfig(temperature=0.5, response_schema=list[Colour]),
            types.GenerateContentConfig(temperature=0.5, response_schema=list[Shade]),
        ]
        told = [gemini(config=config).fingerprint() for config in made]
        assert len(set(told)) == len(told)
        assert gemini(config={"temperature": 0.5}).fingerprint() == told[0]

    def test_what_cannot_be_told_is_refused(self) -> None:
        with pytest.raises(ConfigurationError, match="GeminiStrategy holds a object"):
            gemini(config={"labels": object()}).fingerprint()

    def test_the_address_tells_and_the_key_does_not(self) -> None:
        genai = pytest.importorskip("google.genai")

        def at(address: str | None, key: str) -> str:
            client = genai.Client(api_key=key, http_options={"base_url": address})
            told: str = gemini(client=client).fingerprint()
            client.close()
            return told

        here = at("http://127.0.0.1:9", "k")
        assert at("http://127.0.0.1:9", "other") == here
        assert at(None, "k") == gemini().fingerprint() != here


def test_an_agent_is_refused_without_a_text_of_the_users() -> None:
    with pytest.raises(ConfigurationError, match=r"tools and instructions.*fingerprint='invoices"):
        PydanticAIStrategy(MockAgent()).fingerprint()
    assert mock_strategy().fingerprint() == mock_strategy(MockAgent(latency=1)).fingerprint()


def test_a_pydantic_ai_model_without_an_address_is_refused() -> None:
    models = pytest.importorskip("pydantic_ai.models.test")

    with pytest.raises(ConfigurationError, match=r"test:test.*no address"):
        PydanticAIModelStrategy(models.TestModel()).fingerprint()


def test_a_file_of_weights_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    def told(folder: str, content: bytes) -> str:
        file = tmp_path / folder / "model.gguf"
        file.parent.mkdir()
        file.write_bytes(b"GGUF" + content)
        return LocalModelStrategy(file).fingerprint()

    first = told("a", b"1" * 3_000_000)
    assert told("b", b"1" * 3_000_000) == first
    assert told("c", b"1" * 2_999_999 + b"2") != first
    assert str(tmp_path) not in first
    strategy = LocalModelStrategy(tmp_path / "a" / "model.gguf")
    (tmp_path / "a" / "model.gguf").unlink()
    with pytest.raises(ConfigurationError, match="can no longer be read"):
        strategy.fingerprint()


# --- the type of outputs -------------------------------------------------------------------

composing = pytest.mark.parametrize(
    "make", [openai, anthropic, gemini_request, pydantic_ai, local], ids=lambda make: make.__name__
)


@composing
def test_outputs_are_text_or_what_the_schema_says(make: Callable[..., Any]) -> None:
    own = LLMRequest(PROMPT, output_schema=Shade)
    assert make().output_type(PROMPT) is str
    assert make(output_schema=Colour).output_type(PROMPT) is Colour
    assert make(output_schema={"type": "string"}).output_type(PROMPT) is Any
    assert make(output_schema=Colour).output_type(own) is Shade
    assert make().output_type(own) is Shade


def test_a_subclass_may_declare_its_own() -> None:
    class Lengths(OpenAICompatibleStrategy[int]):
        pass

    assert Lengths("m", base_url="http://models.example/v1").output_type(PROMPT) is int


def test_gemini_asks_its_parser() -> None:
    assert gemini().output_type(PROMPT) is str
    assert gemini(config={"response_schema": Colour}).output_type(PROMPT) is Colour
    assert gemini(response_parser=parse_words).output_type(PROMPT) is int
    assert gemini(response_parser=lambda response: 1).output_type(PROMPT) is Any
    assert gemini(include_metadata=True).output_type(PROMPT) == GeminiResponse[str]
    wrapped = gemini(response_parser=parse_words, include_metadata=True)
    assert wrapped.output_type(PROMPT) == GeminiResponse[int]


def test_an_agent_says_it_where_it_can() -> None:
    Agent = pytest.importorskip("pydantic_ai").Agent

    assert PydanticAIStrategy(Agent("test", output_type=Colour)).output_type(PROMPT) is Colour
    assert PydanticAIStrategy(Agent("test", output_type=[Colour, str])).output_type(PROMPT) is Any
    own = LLMRequest(PROMPT, output_schema=Shade)
    assert PydanticAIStrategy(Agent("test")).output_type(own) is Shade
    assert mock_strategy().output_type(PROMPT) is Any


# --- repeatable ----------------------------------------------------------------------------


@composing
def test_a_temperature_of_zero_has_to_be_asked_for(make: Callable[..., Any]) -> None:
    cold, warm = LLMRequest(PROMPT, temperature=0), LLMRequest(PROMPT, temperature=1)
    assert not make().is_repeatable(PROMPT)
    assert not make(temperature=0.1).is_repeatable(PROMPT)
    assert make(temperature=0).is_repeatable(PROMPT)
    assert make(temperature=0.0).is_repeatable(cold)
    assert make().is_repeatable(cold)
    assert not make(temperature=0).is_repeatable(warm)


@pytest.mark.parametrize("make", [openai, anthropic])
def test_further_fields_go_before_it(make: Callable[..., Any]) -> None:
    assert not make(temperature=0, extra_body={"temperature": 1}).is_repeatable(PROMPT)
    assert make(extra_body={"temperature": 0}).is_repeatable(PROMPT)


@pytest.mark.parametrize(
    ("model", "is_repeatable"),
    [
        ("gpt-4.1-mini", True),
        ("gpt-5-chat-latest", True),
        ("Qwen/Qwen3:4b", True),
        ("claude-haiku-4-5", True),
        ("claude-sonnet-4-20250514", True),
        ("claude-opus-4-6", True),
        ("gpt-5-nano", False),
        ("openai/gpt-5.2", False),
        ("o3-mini", False),
        ("claude-opus-4-7", False),
        ("anthropic/claude-sonnet-5", False),
        ("claude-haiku-5-1-20260901", False),
    ],
)
def test_a_model_that_takes_no_temperature_never_is(model: str, is_repeatable: bool) -> None:
    assert openai(model=model, temperature=0).is_repeatable(PROMPT) is is_repeatable
    named = pydantic_ai(model=f"openai-chat:{model}", temperature=0)
    assert named.is_repeatable(PROMPT) is is_repeatable


def test_gemini_reads_its_config() -> None:
    assert gemini(config={"temperature": 0}).is_repeatable(PROMPT)
    assert gemini().is_repeatable(LLMRequest(PROMPT, temperature=0))
    warm = LLMRequest(PROMPT, temperature=1)
    assert not gemini(config={"temperature": 0}).is_repeatable(warm)
    assert pydantic_ai(model_settings={"temperature": 0}).is_repeatable(PROMPT)
    assert not mock_strategy().is_repeatable(PROMPT)


# --- caches to be warmed -------------------------------------------------------------------


def test_who_has_a_cache_to_warm() -> None:
    at_openai = {"base_url": "https://api.openai.com/v1", "system": LONG}
    assert openai(**at_openai).warms_cache
    assert not openai(**{**at_openai, "system": "Be brief."}).warms_cache
    assert not openai(system=LONG).warms_cache
    assert anthropic(system="Be brief.", system_cache_ttl="5m").warms_cache
    assert not anthropic(system=LONG).warms_cache
    assert not anthropic(system_cache_ttl="1h").warms_cache
    assert gemini(config={"systemInstruction": LONG}).warms_cache
    assert gemini_request(system=LONG).warms_cache
    assert not gemini().warms_cache
    assert not gemini_cached(config={"system_instruction": LONG}).warms_cache
    assert pydantic_ai(model="openai:m", system=LONG).warms_cache
    assert not pydantic_ai(model="anthropic:m", system=LONG).warms_cache
    cached = {"anthropic_cache_instructions": True}
    assert pydantic_ai(model="anthropic:m", system=LONG, model_settings=cached).warms_cache
    assert not local(system=LONG).warms_cache


# --- several strategies --------------------------------------------------------------------


def test_a_pool_of_one_model_is_that_model() -> None:
    keys = StrategyPool([openai(), openai(api_key="another")])
    places = StrategyPool([openai(), openai(base_url="http://elsewhere.example/v1")])
    models = StrategyPool([openai(), openai(model="other")])
    assert keys.fingerprint() == places.fingerprint() == openai().fingerprint()
    assert models.fingerprint() != openai().fingerprint()
    assert SECRET not in str(models.fingerprint())


def test_an_escalation_is_its_members_in_order_and_what_moves_it_on() -> None:
    one, two = openai(), openai(model="other")
    told = [
        EscalatingStrategy([one, two]).fingerprint(),
        EscalatingStrategy([two, one]).fingerprint(),
        EscalatingStrategy([one, two, two]).fingerprint(),
        EscalatingStrategy([one, two], on=["server_error"]).fingerprint(),
        StrategyPool([one, two]).fingerprint(),
        one.fingerprint(),
    ]
    assert len(set(told)) == len(told)
    assert EscalatingStrategy([one]).fingerprint() == one.fingerprint()
    assert EscalatingStrategy([openai(), two]).fingerprint() == told[0]


def test_further_attempts_are_told_by_nobody() -> None:
    """A transport that is never opened: saying all this makes no call."""
    transport = FakeTransport(Reply(200, {}, b"{}"))
    strategy = openai(transport=transport)
    strategy.fingerprint()
    strategy.output_type(PROMPT)
    strategy.is_repeatable(PROMPT)
    assert transport.calls == []
    assert transport.sent == []
