from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.base import FilePart, ImagePart, LLMRequest, Message, TextPart
from batch_llm.exceptions import InputError
from batch_llm.wire.gemini import billed_tokens, encode_request

SCHEMA = {"type": "object", "properties": {"legs": {"type": "integer"}}}


def parts_of(*parts: TextPart | ImagePart | FilePart) -> object:
    return encode_request(LLMRequest([Message("user", parts)]))["contents"][0]["parts"]


def test_a_plain_request_holds_its_text_and_nothing_else() -> None:
    assert encode_request(LLMRequest("Hello")) == {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}]
    }


def test_roles_and_the_system_prompt() -> None:
    request = LLMRequest([Message("user", "a"), Message("assistant", "b")], system="s")
    body = encode_request(request)
    assert [turn["role"] for turn in body["contents"]] == ["user", "model"]
    assert body.get("systemInstruction") == {"parts": [{"text": "s"}]}


def test_parameters_under_the_names_of_the_api() -> None:
    request = LLMRequest(
        "Hello",
        temperature=0,
        top_p=0.5,
        max_output_tokens=7,
        stop=["a", "b"],
        seed=0,
        output_schema=SCHEMA,
    )
    assert encode_request(request).get("generationConfig") == {
        "temperature": 0,
        "topP": 0.5,
        "maxOutputTokens": 7,
        "stopSequences": ["a", "b"],
        "seed": 0,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }


@given(st.binary(min_size=1))
def test_bytes_go_inline(data: bytes) -> None:
    (part,) = parts_of(FilePart(data=data, media_type="application/pdf", name="a.pdf"))  # type: ignore[misc]
    assert part["inlineData"]["mimeType"] == "application/pdf"
    assert base64.b64decode(part["inlineData"]["data"]) == data


@pytest.mark.parametrize(
    ("url", "media_type", "expected"),
    [
        ("data:image/png;base64,AAEC", None, {"mimeType": "image/png", "data": "AAEC"}),
        ("data:image/png;base64,AAEC", "image/x", {"mimeType": "image/x", "data": "AAEC"}),
        (
            "data:image/svg+xml;charset=utf-8;base64,AA==",
            None,
            {"mimeType": "image/svg+xml", "data": "AA=="},
        ),
        ("data:,a%20b", None, {"mimeType": "text/plain", "data": "YSBi"}),
    ],
)
def test_a_data_address_goes_inline(url: str, media_type: str | None, expected: object) -> None:
    assert parts_of(ImagePart(url=url, media_type=media_type)) == [{"inlineData": expected}]


@pytest.mark.parametrize(
    "url", ["data:", "data:image/png;base64", "data:image/png;base64,A*secret"]
)
def test_a_broken_data_address_is_refused_and_not_quoted(url: str) -> None:
    with pytest.raises(InputError, match=r"ImagePart\.url") as caught:
        parts_of(ImagePart(url=url))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            FilePart(url="https://example.org/paper.pdf?v=2"),
            {"fileUri": "https://example.org/paper.pdf?v=2", "mimeType": "application/pdf"},
        ),
        (
            ImagePart(url="gs://bucket/image", media_type="image/png"),
            {"fileUri": "gs://bucket/image", "mimeType": "image/png"},
        ),
        (FilePart(url="https://example.org/x"), {"fileUri": "https://example.org/x"}),
    ],
)
def test_any_other_address_is_left_to_gemini(part: ImagePart | FilePart, expected: object) -> None:
    assert parts_of(part) == [{"fileData": expected}]


# --- the bill ------------------------------------------------------------------------------


def test_reads_the_bill_of_an_answer_that_is_of_no_other_use() -> None:
    counts = {
        "promptTokenCount": 90,
        "toolUsePromptTokenCount": 10,
        "candidatesTokenCount": 20,
        "thoughtsTokenCount": 5,
        "cachedContentTokenCount": 80,
        "totalTokenCount": 125,
    }
    tokens = {
        "input_tokens": 100,
        "output_tokens": 25,
        "total_tokens": 125,
        "cached_input_tokens": 80,
        "reasoning_tokens": 5,
    }
    body = {"candidates": 7, "usageMetadata": counts}
    assert billed_tokens(json.dumps(body).encode()) == tokens


@pytest.mark.parametrize("body", [{}, {"usageMetadata": None}, {"usageMetadata": 7}, [], None])
def test_a_body_that_does_not_say_has_no_bill(body: Any) -> None:
    assert billed_tokens(json.dumps(body).encode()) is None
