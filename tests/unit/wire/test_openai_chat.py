from __future__ import annotations

import base64
import contextlib
import json
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, TypeAdapter, with_config

from batch_llm.base.request import FilePart, ImagePart, LLMRequest, Message, TextPart
from batch_llm.exceptions import (
    AnswerError,
    AuthenticationError,
    MalformedAnswerError,
    ProviderError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.strategies import DefaultErrorClassifier
from batch_llm.wire.answer import ChatAnswer
from batch_llm.wire.openai_chat import billed_tokens, decode_chat, encode_chat

if TYPE_CHECKING:
    from batch_llm.base.usage import TokenUsage


class Verdict(BaseModel):
    label: str
    score: int


class Loose(BaseModel):
    label: str = "none"


PARTS = Message(
    "user",
    (
        TextPart("Compare these."),
        ImagePart(data=b"\x89PNG", media_type="image/png"),
        ImagePart(url="https://pictures.example/cat.png"),
        FilePart(data=b"%PDF-1.7", media_type="application/pdf", name="letter.pdf"),
        FilePart(data=b"%PDF-1.7", media_type="application/pdf"),
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


def test_a_plain_prompt_is_the_smallest_body() -> None:
    assert encode_chat(LLMRequest("hi"), "m") == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
    }


def test_everything_has_its_place() -> None:
    body = encode_chat(EVERYTHING, "m")
    messages: Any = body.pop("messages")
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "user"]
    assert messages[0]["content"] == "Be brief."
    assert body == {
        "model": "m",
        "temperature": 0.0,
        "top_p": 0.5,
        "max_completion_tokens": 100,
        "stop": ["END"],
        "seed": 0,
        "response_format": {
            "type": "json_schema",
            "json_schema": {
                "name": "Verdict",
                "strict": True,
                "schema": {**Verdict.model_json_schema(), "additionalProperties": False},
            },
        },
    }


def test_parts_keep_their_order_and_bytes_become_data_urls() -> None:
    messages: Any = encode_chat(LLMRequest([PARTS]), "m")["messages"]
    text, picture, linked, letter, unnamed = messages[0]["content"]
    assert text == {"type": "text", "text": "Compare these."}
    assert linked["image_url"] == {"url": "https://pictures.example/cat.png"}
    kind, _, data = picture["image_url"]["url"].partition(",")
    assert (kind, base64.b64decode(data)) == ("data:image/png;base64", b"\x89PNG")
    assert letter["file"]["filename"] == "letter.pdf"
    assert letter["file"]["file_data"].startswith("data:application/pdf;base64,")
    assert unnamed["file"]["filename"] == "file.pdf"


def test_a_file_by_address_keeps_the_address() -> None:
    part = FilePart(url="https://files.example/letter.pdf")
    messages: Any = encode_chat(LLMRequest([Message("user", (part,))]), "m")["messages"]
    assert messages[0]["content"][0]["file"]["file_data"] == "https://files.example/letter.pdf"


def test_the_name_of_the_limit_can_be_the_older_one() -> None:
    body = encode_chat(LLMRequest("hi", max_output_tokens=7), "m", token_limit_field="max_tokens")
    assert body["max_tokens"] == 7
    assert "max_completion_tokens" not in body


def test_a_schema_that_strict_mode_refuses_is_sent_as_it_is() -> None:
    body: Any = encode_chat(LLMRequest("hi", output_schema=Loose), "m")
    assert body["response_format"]["json_schema"] == {
        "name": "Loose",
        "schema": Loose.model_json_schema(),
    }


@pytest.mark.parametrize("limit", ["max_completion_tokens", "max_tokens"])
def test_the_openai_sdk_accepts_the_body(limit: Any) -> None:
    """The SDK's own types are the judge of our JSON."""
    pytest.importorskip("openai")
    from openai.types.chat import ChatCompletionContentPartParam, ChatCompletionMessageParam
    from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming

    closed = ConfigDict(extra="forbid")
    body = encode_chat(EVERYTHING, "m", token_limit_field=limit)
    # Level by level, since pydantic checks what is inside the SDK's iterables only when read.
    TypeAdapter(with_config(closed)(CompletionCreateParamsNonStreaming)).validate_python(body)
    messages: Any = body["messages"]
    parts = messages[1].pop("content")
    TypeAdapter(list[ChatCompletionContentPartParam], config=closed).validate_python(parts)
    messages[1]["content"] = "parts, checked above"
    TypeAdapter(list[ChatCompletionMessageParam], config=closed).validate_python(messages)


# --- answers -------------------------------------------------------------------------------


def answer_of(content: Any = "hi", finish_reason: Any = "stop", **fields: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-1",
        "model": "m-2026",
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 8},
        },
        **fields,
    }


USAGE: TokenUsage = {
    "input_tokens": 10,
    "output_tokens": 4,
    "total_tokens": 14,
    "cached_input_tokens": 8,
}


def encoded(document: Any) -> bytes:
    return json.dumps(document).encode()


def test_a_whole_answer() -> None:
    answer = decode_chat(encoded(answer_of()))
    assert answer == ChatAnswer("hi", "stop", USAGE, "m-2026", "chatcmpl-1")
    assert not answer.is_truncated


def test_an_answer_of_the_least_a_server_may_send() -> None:
    answer = decode_chat(b'{"choices": [{"message": {"content": "hi"}}]}')
    assert answer.text == "hi"
    assert answer.usage == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}


def test_reasoning_that_only_the_total_has_is_output_as_it_is_billed() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 50}
    answer = decode_chat(encoded(answer_of(usage=usage)))
    assert answer.usage == {"input_tokens": 10, "output_tokens": 40, "total_tokens": 50}


def test_what_a_cache_gave_and_took_is_told() -> None:
    details = {"cached_tokens": 3, "cache_write_tokens": 5}
    usage = {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": details}
    answer = decode_chat(encoded(answer_of(usage=usage)))
    assert (answer.usage["cached_input_tokens"], answer.usage["cache_write_tokens"]) == (3, 5)


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10, "completion_tokens": 4},
        {"prompt_tokens": 10.0, "completion_tokens": "4", "total_tokens": None},
        {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": None},
        {"prompt_tokens": 10, "completion_tokens": 4, "prompt_tokens_details": {"audio": 1}},
    ],
)
def test_usage_is_read_leniently(usage: dict[str, Any]) -> None:
    answer = decode_chat(encoded(answer_of(usage=usage)))
    assert answer.usage == {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}


def test_text_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}, {"type": "other"}]
    assert decode_chat(encoded(answer_of(parts))).text == "one two"


@pytest.mark.parametrize("content", ["", None])
def test_a_limit_spent_before_the_first_word_is_a_truncated_text(content: str | None) -> None:
    answer = decode_chat(encoded(answer_of(content, "length")))
    assert answer.text == ""
    assert answer.is_truncated


@pytest.mark.parametrize(
    ("document", "kind"),
    [
        (answer_of(choices=[]), MalformedAnswerError),
        (answer_of(choices=None), MalformedAnswerError),
        (answer_of(choices="no"), MalformedAnswerError),
        (answer_of(choices=[{}]), MalformedAnswerError),
        (answer_of(None, "tool_calls"), MalformedAnswerError),
        (answer_of(5), MalformedAnswerError),
        (answer_of("half an ans", "error"), MalformedAnswerError),
        (answer_of(error={"message": "Upstream failed", "code": 502}), ServerError),
        (answer_of("", "content_filter"), RefusalError),
        (answer_of(choices=[{"message": {"refusal": "I'm sorry"}}]), RefusalError),
    ],
)
def test_an_answer_that_cannot_be_used_carries_what_it_cost(
    document: dict[str, Any], kind: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as raised:
        decode_chat(encoded(document))
    assert type(raised.value) is kind
    assert raised.value.usage == USAGE


def test_a_reported_error_is_told_with_its_code() -> None:
    document = {"error": {"message": "Upstream failed", "code": "rate_limit_exceeded"}}
    with pytest.raises(MalformedAnswerError, match="Upstream failed") as raised:
        decode_chat(encoded(document))
    assert raised.value.code == "rate_limit_exceeded"
    assert raised.value.usage is None
    assert DefaultErrorClassifier().classify(raised.value).is_rate_limit


def test_a_reported_error_quotes_nothing_private() -> None:
    document = {"error": {"message": "Cannot answer 'a prompt of somebody' now"}}
    with pytest.raises(MalformedAnswerError, match="Cannot answer '…' now"):
        decode_chat(encoded(document), private=["a prompt of somebody"])


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"<html>", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_answer(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError) as raised:
        decode_chat(body)
    assert raised.value.usage is None


def test_errors_hold_no_part_of_the_answer() -> None:
    for document in (
        answer_of({"secret": "words"}),
        answer_of("secret words", "error"),
        answer_of(choices=[{"message": {"refusal": "secret words"}}]),
    ):
        with pytest.raises(AnswerError) as raised:
            decode_chat(encoded(document))
        assert "secret" not in str(raised.value)
        assert raised.value.__cause__ is None


@given(st.integers(0, 10_000))
def test_an_answer_cut_anywhere_is_malformed(at: int) -> None:
    whole = encoded(answer_of("some words of an answer"))
    with pytest.raises(MalformedAnswerError):
        decode_chat(whole[: at % len(whole)])


@given(st.binary(max_size=100))
def test_any_bytes_give_an_answer_or_an_answer_error(body: bytes) -> None:
    with contextlib.suppress(AnswerError):
        assert isinstance(decode_chat(body).text, str)


_KEYS = ["choices", "usage", "message", "content", "refusal", "error", "finish_reason", "id"]
_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(_KEYS), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(_DOCUMENTS)
def test_any_json_gives_an_answer_or_an_answer_error(document: Any) -> None:
    with contextlib.suppress(AnswerError):
        assert isinstance(decode_chat(msgspec.json.encode(document)).text, str)


@given(st.text(), st.sampled_from(["stop", "length", None]))
def test_any_text_comes_through(text: str, finish_reason: str | None) -> None:
    answer = decode_chat(encoded(answer_of(text, finish_reason)))
    assert (answer.text, answer.finish_reason) == (text, finish_reason)


@pytest.mark.parametrize(
    ("code", "kind"), [(429, RateLimitedError), (401, AuthenticationError), (503, ServerError)]
)
def test_a_200_that_carries_a_status_in_its_body_means_that_status(
    code: int, kind: type[ProviderError]
) -> None:
    body = msgspec.json.encode({"error": {"code": code, "message": "from behind the gateway"}})
    with pytest.raises(kind) as caught:
        decode_chat(body)
    assert caught.value.status_code == code


def test_reads_the_bill_of_an_answer_that_is_of_no_other_use() -> None:
    body = b'{"choices": 7, "usage": {"prompt_tokens": 6, "completion_tokens": 3}}'
    assert billed_tokens(body) == {"input_tokens": 6, "output_tokens": 3, "total_tokens": 9}
    assert billed_tokens(b'{"choices": 7}') is None
    assert billed_tokens(body[:-1]) is None
