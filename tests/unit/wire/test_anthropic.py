from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, with_config

from batch_llm.base.request import FilePart, ImagePart, LLMRequest, Message, Part, TextPart
from batch_llm.base.usage import TokenUsage
from batch_llm.exceptions import (
    AnswerError,
    InputError,
    MalformedAnswerError,
    ProviderError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.strategies import DefaultErrorClassifier
from batch_llm.wire.answer import ChatAnswer
from batch_llm.wire.anthropic import (
    USUAL_OUTPUT_TOKENS,
    billed_tokens,
    billed_tokens_of_stream,
    decode_message,
    encode_message,
)


class Verdict(BaseModel):
    label: str
    score: int


class Counted(BaseModel):
    counts: dict[str, int]


PARTS = Message(
    "user",
    (
        TextPart("Compare these."),
        ImagePart(data=b"\x89PNG", media_type="image/png"),
        ImagePart(url="https://pictures.example/cat.png"),
        ImagePart(url="data:image/gif;base64,AAEC"),
        FilePart(data=b"%PDF-1.7", media_type="application/pdf", name="letter.pdf"),
        FilePart(url="https://files.example/letter.pdf"),
        FilePart(data="# Zürich".encode(), media_type="text/markdown", name="notes.md"),
    ),
)
EVERYTHING = LLMRequest(
    [PARTS, Message("assistant", "They differ."), Message("user", "How?")],
    system="Be brief.",
    output_schema=Verdict,
    temperature=0.0,
    top_p=0.5,
    max_output_tokens=100,
    stop=["END"],
    seed=0,
)


def blocks_of(*parts: Part) -> Any:
    body: Any = encode_message(LLMRequest([Message("user", parts)]), "m")
    return body["messages"][0]["content"]


# --- the request ---------------------------------------------------------------------------


def test_a_plain_prompt_is_the_smallest_body() -> None:
    assert encode_message(LLMRequest("hi"), "m") == {
        "model": "m",
        "max_tokens": USUAL_OUTPUT_TOKENS,
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_everything_has_its_place() -> None:
    body = encode_message(EVERYTHING, "m")
    messages: Any = body.pop("messages")
    assert [message["role"] for message in messages] == ["user", "assistant", "user"]
    assert messages[1]["content"] == "They differ."
    schema = {**Verdict.model_json_schema(), "additionalProperties": False}
    assert body == {
        "model": "m",
        "system": "Be brief.",
        "temperature": 0.0,
        "top_p": 0.5,
        "max_tokens": 100,
        "stop_sequences": ["END"],
        "output_config": {"format": {"type": "json_schema", "schema": schema}},
    }


def test_parts_keep_their_order_and_say_where_they_are() -> None:
    text, picture, linked, inline, letter, far, notes = blocks_of(*PARTS.parts)
    assert text == {"type": "text", "text": "Compare these."}
    assert picture == {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw=="},
    }
    assert linked["source"] == {"type": "url", "url": "https://pictures.example/cat.png"}
    assert inline["source"] == {"type": "base64", "media_type": "image/gif", "data": "AAEC"}
    assert letter == {
        "type": "document",
        "title": "letter.pdf",
        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjc="},
    }
    assert far == {
        "type": "document",
        "source": {"type": "url", "url": "https://files.example/letter.pdf"},
    }
    assert notes == {
        "type": "document",
        "title": "notes.md",
        "source": {"type": "text", "media_type": "text/plain", "data": "# Zürich"},
    }


def test_a_text_with_a_byte_order_mark_loses_it() -> None:
    (block,) = blocks_of(FilePart(data=b"\xef\xbb\xbfa,b", media_type="text/csv"))
    assert block["source"]["data"] == "a,b"


def test_a_text_in_another_encoding_is_refused_unquoted() -> None:
    part = FilePart(data="geheim: Zürich".encode("latin-1"), media_type="text/plain", name="n.txt")
    with pytest.raises(InputError, match=r"n\.txt .*at byte 9") as raised:
        blocks_of(part)
    assert "geheim" not in str(raised.value)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize(
    ("ttl", "mark"),
    [("5m", {"type": "ephemeral"}), ("1h", {"type": "ephemeral", "ttl": "1h"})],
)
def test_the_system_prompt_can_be_cached(ttl: Any, mark: dict[str, str]) -> None:
    body = encode_message(EVERYTHING, "m", system_cache_ttl=ttl)
    assert body["system"] == [{"type": "text", "text": "Be brief.", "cache_control": mark}]
    rest = encode_message(EVERYTHING, "m")
    assert {**body, "system": "Be brief."} == rest


@pytest.mark.parametrize("system", [None, ""])
def test_without_a_system_prompt_there_is_nothing_to_cache(system: str | None) -> None:
    assert "system" not in encode_message(
        LLMRequest("hi", system=system), "m", system_cache_ttl="5m"
    )


@pytest.mark.parametrize("system", [None, "Be brief."])
def test_a_schema_without_a_form_is_put_into_words(system: str | None) -> None:
    body: Any = encode_message(LLMRequest("hi", system=system, output_schema=Counted), "m")
    assert "output_config" not in body
    before, _, words = body["system"].rpartition("Answer with JSON")
    assert before == ("" if system is None else "Be brief.\n\n")
    assert json.loads(words[words.index("{") :]) == Counted.model_json_schema()


@pytest.mark.parametrize(
    ("model", "has_format"),
    [
        ("claude-3-5-haiku-20241022", False),
        ("claude-sonnet-4-20250514", False),
        ("claude-opus-4-0", False),
        ("claude-opus-4-1-20250805", True),
        ("claude-haiku-4-5", True),
        ("claude-opus-5", True),
        ("a-model-of-a-gateway", True),
    ],
)
def test_models_too_old_for_structured_output_are_told_in_words(
    model: str, has_format: bool
) -> None:
    body: Any = encode_message(LLMRequest("hi", output_schema=Verdict), model)
    assert ("output_config" in body) is has_format
    assert ("system" in body) is not has_format


def test_words_of_a_schema_are_a_part_of_what_is_cached() -> None:
    request = LLMRequest("hi", system="Be brief.", output_schema=Counted)
    cached: Any = encode_message(request, "m", system_cache_ttl="1h")
    assert cached["system"][0]["text"] == encode_message(request, "m")["system"]


def test_the_anthropic_sdk_accepts_the_body() -> None:
    """The SDK's own types are the judge of our JSON, but for what its version took out."""
    pytest.importorskip("anthropic")
    from anthropic.types import MessageParam
    from anthropic.types.content_block_param import ContentBlockParam
    from anthropic.types.message_create_params import MessageCreateParamsNonStreaming

    closed = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
    body = encode_message(EVERYTHING, "m", system_cache_ttl="1h")
    del body["temperature"], body["top_p"]
    # Level by level, since pydantic checks what is inside the SDK's iterables only when read.
    TypeAdapter(with_config(closed)(MessageCreateParamsNonStreaming)).validate_python(body)
    messages: Any = body["messages"]
    parts = messages[0].pop("content")
    TypeAdapter(list[ContentBlockParam], config=closed).validate_python(parts)
    messages[0]["content"] = "parts, checked above"
    TypeAdapter(list[MessageParam], config=closed).validate_python(messages)


async def test_the_anthropic_sdk_sends_the_same_body() -> None:
    anthropic = pytest.importorskip("anthropic")
    httpx2 = pytest.importorskip("httpx2")
    sent: list[Any] = []

    def answer(request: Any) -> Any:
        sent.append(json.loads(request.content))
        return httpx2.Response(200, content=encoded(message_of('{"label": "a", "score": 1}')))

    transport = httpx2.MockTransport(answer)
    async with anthropic.AsyncAnthropic(
        api_key="k", http_client=httpx2.AsyncClient(transport=transport)
    ) as client:
        body: Any = encode_message(EVERYTHING, "m", system_cache_ttl="1h")
        given = {name: value for name, value in body.items() if name != "output_config"}
        sampling = {name: given.pop(name) for name in ("temperature", "top_p")}
        await client.messages.parse(**given, output_format=Verdict, extra_body=sampling)
    assert sent == [body]


# --- answers -------------------------------------------------------------------------------


def message_of(*texts: str, stop_reason: Any = "end_turn", **fields: Any) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-2026",
        "content": [{"type": "text", "text": text} for text in texts],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 300,
            "cache_read_input_tokens": 2000,
            "output_tokens": 4,
        },
        **fields,
    }


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


USAGE: TokenUsage = {
    "input_tokens": 2310,
    "output_tokens": 4,
    "total_tokens": 2314,
    "cached_input_tokens": 2000,
    "cache_write_tokens": 300,
}
THINKING = {"type": "thinking", "thinking": "Hm.", "signature": "s"}


def test_a_whole_answer() -> None:
    body = encoded(message_of("hi"))
    assert decode_message(body) == ChatAnswer("hi", "stop", USAGE, "claude-2026", "msg_1")
    assert decode_message(body, request_id="req_1").request_id == "req_1"


def test_the_anthropic_sdk_reads_the_same() -> None:
    pytest.importorskip("anthropic")
    from anthropic.types import Message as TheirMessage

    document = message_of("one ", "two", stop_reason="max_tokens")
    document["content"].insert(0, THINKING)
    theirs = TheirMessage.model_validate(document)
    ours = decode_message(encoded(document))
    assert ours.text == "".join(block.text for block in theirs.content if block.type == "text")
    assert (ours.model, ours.request_id) == (theirs.model, theirs.id)
    assert ours.usage["output_tokens"] == theirs.usage.output_tokens
    assert ours.usage["cached_input_tokens"] == theirs.usage.cache_read_input_tokens
    assert ours.usage["input_tokens"] == (
        theirs.usage.input_tokens
        + (theirs.usage.cache_read_input_tokens or 0)
        + (theirs.usage.cache_creation_input_tokens or 0)
    )


async def test_pydantic_ai_counts_the_same_tokens() -> None:
    """One meaning of a count, whichever strategy calls the model."""
    pytest.importorskip("pydantic_ai")
    from pydantic_ai.usage import RequestUsage

    from batch_llm.llm_strategies.pydantic_ai.usage import read_usage

    theirs = RequestUsage.extract(
        message_of("hi"),
        provider="anthropic",
        provider_url="https://api.anthropic.com",
        provider_fallback="anthropic",
    )
    assert read_usage(theirs) == USAGE


@pytest.mark.parametrize(
    ("reason", "finish_reason", "is_truncated"),
    [
        ("end_turn", "stop", False),
        ("stop_sequence", "stop", False),
        ("max_tokens", "length", True),
        ("model_context_window_exceeded", "length", True),
        ("some_new_reason", "some_new_reason", False),
        (None, None, False),
    ],
)
def test_finish_reasons(reason: Any, finish_reason: Any, is_truncated: bool) -> None:
    answer = decode_message(encoded(message_of("hi", stop_reason=reason)))
    assert (answer.finish_reason, answer.is_truncated) == (finish_reason, is_truncated)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"input_tokens": 10, "output_tokens": 4}, (10, 4, 14)),
        (
            {"input_tokens": 10.0, "output_tokens": "4", "cache_read_input_tokens": None},
            (10, 4, 14),
        ),
        ({"cache_creation_input_tokens": 7}, (7, 0, 7)),
        ({}, (0, 0, 0)),
        (None, (0, 0, 0)),
    ],
)
def test_usage_is_read_leniently(usage: Any, counts: tuple[int, int, int]) -> None:
    answer = decode_message(encoded(message_of("hi", usage=usage)))
    names = ("input_tokens", "output_tokens", "total_tokens")
    assert [answer.usage[name] for name in names] == list(counts)  # type: ignore[literal-required]


def test_what_is_written_to_a_cache_is_told_and_what_of_it_for_an_hour() -> None:
    usage = {
        "input_tokens": 10,
        "cache_creation_input_tokens": 700,
        "cache_creation": {"ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 400},
        "output_tokens": 4,
    }
    answer = decode_message(encoded(message_of("hi", usage=usage)))
    assert answer.usage == {
        "input_tokens": 710,
        "output_tokens": 4,
        "total_tokens": 714,
        "cache_write_tokens": 700,
        "hour_cache_write_tokens": 400,
    }


def test_text_in_blocks_is_joined_and_thinking_left_out() -> None:
    document = message_of("one ", "two")
    others: list[Any] = [{"type": "new", "text": {"a": 1}}, {"type": "new", "text": "three"}]
    document["content"] = [THINKING, *document["content"], *others]
    assert decode_message(encoded(document)).text == "one two"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "stop_sequence"),
        ([THINKING], "stop_sequence"),
        ([], "max_tokens"),
        ([THINKING], "max_tokens"),
        ([{"type": "text", "text": ""}], "end_turn"),
    ],
)
def test_an_answer_may_be_empty(content: list[Any], reason: str) -> None:
    document = message_of(stop_reason=reason, content=content)
    assert decode_message(encoded(document)).text == ""


TOOL = {"type": "tool_use", "id": "t", "name": "look", "input": {"secret": "words"}}


@pytest.mark.parametrize(
    ("document", "kind", "code"),
    [
        (message_of(content=None), MalformedAnswerError, None),
        (message_of(content="secret words"), MalformedAnswerError, None),
        (message_of(content=[]), MalformedAnswerError, None),
        (message_of(content=[THINKING]), MalformedAnswerError, None),
        (message_of("secret words", stop_reason="refusal"), RefusalError, "refusal"),
        (
            message_of(
                stop_reason="refusal",
                stop_details={"type": "refusal", "category": "bio", "explanation": "secret words"},
            ),
            RefusalError,
            "bio",
        ),
        (message_of("secret words", stop_reason="pause_turn"), AnswerError, "pause_turn"),
        (message_of(content=[TOOL], stop_reason="tool_use"), AnswerError, "tool_use"),
        (
            message_of(type="error", error={"type": "overloaded_error", "message": "Busy"}),
            ServerError,
            "overloaded_error",
        ),
        (
            message_of(error={"type": "rate_limit_error", "message": "Slowly"}),
            RateLimitedError,
            "rate_limit_error",
        ),
        (message_of(error={"message": "Upstream failed"}), MalformedAnswerError, None),
        (message_of(type="error"), MalformedAnswerError, "error"),
    ],
)
def test_an_answer_that_cannot_be_used_carries_what_it_cost(
    document: dict[str, Any], kind: type[ProviderError], code: str | None
) -> None:
    with pytest.raises(ProviderError) as raised:
        decode_message(encoded(document), request_id="req_1")
    error = raised.value
    assert type(error) is kind
    assert (error.usage, error.request_id, error.code) == (USAGE, "req_1", code)
    assert "secret" not in str(error)
    assert error.__cause__ is None


@pytest.mark.parametrize(
    ("reason", "category"), [("refusal", "client_error"), ("tool_use", "client_error")]
)
def test_what_would_end_the_same_way_is_not_asked_again(reason: str, category: str) -> None:
    with pytest.raises(AnswerError) as raised:
        decode_message(encoded(message_of(stop_reason=reason)))
    info = DefaultErrorClassifier().classify(raised.value)
    assert (info.error_category, info.is_retryable) == (category, False)


def test_a_200_that_holds_an_error_means_that_error() -> None:
    body = {
        "type": "error",
        "error": {"type": "overloaded_error", "message": "Busy with 'a prompt of somebody'"},
        "request_id": "req_9",
    }
    with pytest.raises(ServerError, match="Busy with '…'") as raised:
        decode_message(encoded(body), request_id="req_1", private=["a prompt of somebody"])
    error = raised.value
    assert (error.status_code, error.request_id, error.usage) == (529, "req_9", None)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_message(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError) as raised:
        decode_message(body, request_id="req_1")
    assert (raised.value.usage, raised.value.request_id) == (None, "req_1")


@given(st.integers(0, 10_000))
def test_an_answer_cut_anywhere_is_malformed(at: int) -> None:
    whole = encoded(message_of("some words of an answer"))
    with pytest.raises(MalformedAnswerError):
        decode_message(whole[: at % len(whole)])


_KEYS = ["content", "usage", "type", "text", "error", "stop_reason", "stop_details", "id"]
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_DOCUMENTS)
def test_any_json_gives_an_answer_or_a_providers_error(document: Any) -> None:
    with contextlib.suppress(ProviderError):
        assert isinstance(decode_message(msgspec.json.encode(document)).text, str)


@given(st.text(), st.sampled_from(["end_turn", "max_tokens", None]))
def test_any_text_comes_through(text: str, reason: str | None) -> None:
    assert decode_message(encoded(message_of(text, stop_reason=reason))).text == text


# --- the bill ------------------------------------------------------------------------------


def test_reads_the_bill_of_an_answer_that_is_of_no_other_use() -> None:
    body = encoded({"content": 7, "usage": {"input_tokens": 6, "output_tokens": 3}})
    assert billed_tokens(body) == {"input_tokens": 6, "output_tokens": 3, "total_tokens": 9}
    assert billed_tokens(encoded({"content": 7})) is None
    assert billed_tokens(body[:-1]) is None


def event(name: str, **data: Any) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **data})}\n\n".encode()


STREAM = [
    event(
        "message_start",
        message={
            "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 1},
        },
    ),
    event("ping"),
    event("content_block_delta", delta={"text": "usage"}),
    event("message_delta", usage={"output_tokens": 5}),
    event("message_delta", usage={"input_tokens": None, "output_tokens": 7}),
]


@pytest.mark.parametrize(
    ("events", "output_tokens"), [(1, 1), (2, 1), (3, 1), (4, 5), (5, 7)], ids=str
)
def test_a_stream_tells_what_was_billed_so_far(events: int, output_tokens: int) -> None:
    body = b"".join(STREAM[:events]) + b'event: message_delta\ndata: {"usage": {"output'
    assert billed_tokens_of_stream(body) == {
        "input_tokens": 10,
        "output_tokens": output_tokens,
        "total_tokens": 10 + output_tokens,
        "cached_input_tokens": 4,
    }


@pytest.mark.parametrize("body", [b"", b"<html>", event("ping"), b"data: []\n\ndata: 7\n\n"])
def test_a_stream_that_does_not_say_has_no_bill(body: bytes) -> None:
    assert billed_tokens_of_stream(body) is None
