"""The most tokens a request can be billed for, told before it is sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from batch_llm import (
    AnthropicStrategy,
    GeminiCachedStrategy,
    GeminiStrategy,
    OpenAICompatibleStrategy,
    PydanticAIModelStrategy,
    PydanticAIStrategy,
)
from batch_llm.base import FilePart, ImagePart, LLMRequest, Message, TextPart
from batch_llm.exceptions import ConfigurationError
from batch_llm.llm_strategies.token_bounds import size_of_text

PICTURE = LLMRequest([Message("user", (TextPart("a"), ImagePart(url="https://h/a.png")))])
NOTES = FilePart(data=b"notes " * 100, media_type="text/plain")
PDF = FilePart(data=b"%PDF", media_type="application/pdf")


class Answer(BaseModel):
    text: str
    number: int


def openai(model: str = "gpt-4o-mini", **options: Any) -> OpenAICompatibleStrategy[Any]:
    return OpenAICompatibleStrategy(model, api_key="k", **options)


def anthropic(**options: Any) -> AnthropicStrategy[Any]:
    return AnthropicStrategy("claude-haiku-4-5", api_key="k", **options)


def gemini(config: Any = None) -> GeminiStrategy[Any]:
    return GeminiStrategy("gemini-2.5-flash", None, config=config)


def pydantic_ai(**options: Any) -> PydanticAIModelStrategy[Any]:
    return PydanticAIModelStrategy("openai-chat:gpt-4o-mini", api_key="k", **options)


ALL = [
    pytest.param(openai, 16_384, id="openai"),
    pytest.param(anthropic, 16_384, id="anthropic"),  # the limit that is always sent
    pytest.param(gemini, 65_536, id="gemini"),
    pytest.param(pydantic_ai, 16_384, id="pydantic_ai"),
]
every = pytest.mark.parametrize(("make", "usual"), ALL)


@every
@pytest.mark.parametrize("prompt", ["", "why?", "Größe: 歴史 " * 50, "﷽"])
def test_the_input_has_room_for_every_byte_and_not_for_much_more(
    make: Any, usual: int, prompt: str
) -> None:
    size = size_of_text(prompt)
    bound = make().token_bound(prompt)
    assert size < bound.input_tokens < 2 * size + 600
    assert bound.output_tokens == usual


@every
def test_a_request_of_many_turns_has_room_for_all(make: Any, usual: int) -> None:
    one = make().token_bound("a" * 1_000)
    turns = [Message("user", "a" * 1_000), Message("assistant", "b" * 1_000)] * 5
    many = make().token_bound(LLMRequest([*turns, turns[0]], system="s" * 500))
    assert many.input_tokens - one.input_tokens >= 10_500


@every
def test_a_limit_of_the_request_bounds_its_output(make: Any, usual: int) -> None:
    assert make().token_bound(LLMRequest("a", max_output_tokens=77)).output_tokens == 77


@every
def test_a_schema_is_sent_and_so_counted(make: Any, usual: int) -> None:
    plain = make().token_bound("a")
    shaped = make().token_bound(LLMRequest("a", output_schema=Answer))
    assert shaped.input_tokens - plain.input_tokens > 1_000


@every
@pytest.mark.parametrize("part", [ImagePart(url="https://h/a.png"), PDF], ids=["image", "pdf"])
def test_what_only_the_provider_can_count_has_no_bound(make: Any, usual: int, part: Any) -> None:
    request = LLMRequest([Message("user", (TextPart("a"), part))])
    with pytest.raises(ConfigurationError, match=f"{type(part).__name__}.*max_cost_usd"):
        make().token_bound(request)


def test_a_file_of_text_has_one_where_it_is_sent_as_text() -> None:
    request = LLMRequest([Message("user", (TextPart("a"), NOTES))])
    assert anthropic().token_bound(request).input_tokens > 600
    with pytest.raises(ConfigurationError, match="FilePart"):
        openai().token_bound(request)


@pytest.mark.parametrize(
    "extra",
    [
        {"tools": []},
        {"web_search_options": {}},
        {"service_tier": "priority"},
        {"service_tier": "auto"},
        {"modalities": ["text", "audio"]},
        {"prediction": {}},
        {"something_new": 1},
        {"n": 0},
        {"n": "two"},
    ],
    ids=repr,
)
def test_a_field_that_may_change_the_price_refuses_a_bound(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(extra))):
        openai(extra_body=extra).token_bound("a")


@pytest.mark.parametrize(
    "extra",
    [{"service_tier": "default"}, {"modalities": ["text"]}, {"reasoning_effort": "low"}],
    ids=repr,
)
def test_a_field_that_does_not_is_fine(extra: dict[str, Any]) -> None:
    assert openai(extra_body=extra).token_bound("a").output_tokens == 16_384


@pytest.mark.parametrize(
    "extra", [{"tools": []}, {"speed": "fast"}, {"inference_geo": "us"}], ids=repr
)
def test_anthropic_has_fields_of_its_own_that_do(extra: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(extra))):
        anthropic(extra_body=extra).token_bound("a")


def test_several_answers_cost_several_times_as_much() -> None:
    one, three = openai().token_bound("a"), openai(extra_body={"n": 3}).token_bound("a")
    assert three.output_tokens == 3 * 16_384
    assert three.input_tokens >= one.input_tokens


def test_the_highest_of_two_limits_counts() -> None:
    strategy = openai(max_output_tokens=10, extra_body={"max_tokens": 500})
    assert strategy.token_bound("a").output_tokens == 500


def test_without_a_limit_nothing_bounds_the_output_of_a_model_that_nobody_knows() -> None:
    assert openai("gpt-none").token_bound("a").output_tokens is None
    elsewhere = openai(base_url="http://127.0.0.1:1/v1")
    assert elsewhere.token_bound("a").output_tokens is None, "the name is not the model"
    named = openai(base_url="http://127.0.0.1:1/v1", priced_as="openai:gpt-4.1")
    assert named.token_bound("a").output_tokens == 32_768


@pytest.mark.parametrize("is_typed", [True, False])
def test_what_gemini_is_configured_with_is_counted(is_typed: bool) -> None:
    from google.genai import types

    fields = {
        "system_instruction": "s" * 1_000,
        "max_output_tokens": 50,
        "candidate_count": 2,
        "thinking_config": {"thinking_budget": 10},
    }
    config = types.GenerateContentConfig(**fields) if is_typed else fields  # type: ignore[arg-type]
    bound = gemini(config).token_bound("a")
    assert bound.input_tokens > 2_000
    assert bound.output_tokens == 100


def test_an_estimate_has_the_texts_that_gemini_is_configured_with() -> None:
    assert gemini().expected_input_tokens("a" * 40) == 10
    instructed = gemini({"system_instruction": "s" * 400})
    assert instructed.expected_input_tokens("a" * 40) == 110
    assert gemini({"tools": [{"google_search": {}}]}).expected_input_tokens("a" * 40) == 10


@pytest.mark.parametrize(
    "config",
    [
        {"tools": [{"google_search": {}}]},
        {"tools": [print]},
        {"responseModalities": ["IMAGE"]},
        {"cached_content": "cachedContents/a"},
        {"service_tier": "priority"},
        {"http_options": {"extra_body": {"a": 1}}},
        {"system_instruction": {"parts": [{"file_data": {"file_uri": "u"}}]}},
    ],
    ids=repr,
)
def test_what_gemini_may_bill_otherwise_refuses_a_bound(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="max_cost_usd"):
        gemini(config).token_bound("a")


def test_the_shared_content_of_a_cache_is_counted() -> None:
    from google.genai import types

    def cached(content: Any) -> GeminiCachedStrategy[Any]:
        return GeminiCachedStrategy("gemini-2.5-flash", None, None, content)

    text = "manual " * 1_000
    shapes: list[Any] = [
        text,
        [text],
        [types.Part(text=text)],
        [types.Content(role="user", parts=[types.Part(text=text)])],
        [{"role": "user", "parts": [{"text": text}]}],
    ]
    for shape in shapes:
        assert 7_000 < cached(shape).token_bound("a").input_tokens < 8_000
    for no_text in (
        [types.Part.from_bytes(data=b"x", mime_type="image/png")],
        [types.Part.from_uri(file_uri="https://h/a.pdf", mime_type="application/pdf")],
    ):
        with pytest.raises(ConfigurationError, match="text only"):
            cached(no_text).token_bound("a")


def test_settings_of_pydantic_ai_bound_the_output_or_refuse() -> None:
    assert pydantic_ai(model_settings={"max_tokens": 9}).token_bound("a").output_tokens == 9
    for settings in ({"service_tier": "priority"}, {"extra_body": {}}, {"something_new": 1}):
        with pytest.raises(ConfigurationError, match=next(iter(settings))):
            pydantic_ai(model_settings=settings).token_bound("a")


def test_nothing_bounds_an_agent() -> None:
    from pydantic_ai import Agent
    from pydantic_ai.models.test import TestModel

    with pytest.raises(ConfigurationError, match="PydanticAIModelStrategy"):
        PydanticAIStrategy(Agent(TestModel())).token_bound("a")


@given(st.text())
def test_a_text_has_no_more_tokens_than_this_normalized_or_not(text: str) -> None:
    import unicodedata

    for form in (text, unicodedata.normalize("NFKC", text), unicodedata.normalize("NFC", text)):
        assert len(form.encode("utf-8", "surrogatepass")) <= size_of_text(text)
