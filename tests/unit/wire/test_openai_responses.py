from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.base import FilePart, ImagePart, LLMRequest, Message, TextPart
from batch_llm.exceptions import (
    AnswerError,
    InputError,
    MalformedAnswerError,
    ProviderError,
    RefusalError,
    ServerError,
)
from batch_llm.wire.answer import ChatAnswer
from batch_llm.wire.openai_responses import billed_tokens, decode_response, encode_response

USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens": 3,
    "output_tokens_details": {"reasoning_tokens": 1},
    "total_tokens": 13,
}
TOKENS = {
    "input_tokens": 10,
    "output_tokens": 3,
    "total_tokens": 13,
    "cached_input_tokens": 4,
    "reasoning_tokens": 1,
}


def test_reads_the_bill_of_an_answer_that_is_of_no_other_use() -> None:
    assert billed_tokens(json.dumps({"output": 7, "usage": USAGE}).encode()) == TOKENS


def test_counts_that_are_left_out_are_zero() -> None:
    usage = {"input_tokens": 10, "output_tokens": "3"}
    tokens = {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}
    assert billed_tokens(json.dumps({"usage": usage}).encode()) == tokens


@pytest.mark.parametrize("body", [{}, {"usage": None}, {"usage": "much"}, [], None])
def test_a_body_that_does_not_say_has_no_bill(body: Any) -> None:
    assert billed_tokens(json.dumps(body).encode()) is None


def test_a_body_that_is_cut_has_no_bill() -> None:
    assert billed_tokens(json.dumps({"usage": USAGE}).encode()[:-1]) is None


# --- requests and answers -------------------------------------------------------------------


def test_a_request_in_the_words_of_the_api() -> None:
    parts = (
        TextPart("Look:"),
        ImagePart(data=b"png", media_type="image/png"),
        FilePart(data=b"pdf", media_type="application/pdf"),
        FilePart(url="https://h/f.pdf"),
    )
    schema = {
        "title": "Legs",
        "type": "object",
        "properties": {"legs": {"type": "integer"}},
        "required": ["legs"],
    }
    request = LLMRequest(
        [Message("user", parts), Message("assistant", (TextPart("Yes."),))],
        system="Be brief.",
        output_schema=schema,
        temperature=0,
        top_p=0.5,
        max_output_tokens=16,
        seed=4,
    )
    body: Any = encode_response(request, "m")
    told = body.pop("text")["format"]
    assert (told["type"], told["name"], told["strict"]) == ("json_schema", "Legs", True)
    assert body == {
        "model": "m",
        "instructions": "Be brief.",
        "temperature": 0,
        "top_p": 0.5,
        "max_output_tokens": 16,
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look:"},
                    {"type": "input_image", "image_url": "data:image/png;base64,cG5n"},
                    {
                        "type": "input_file",
                        "filename": "file.pdf",
                        "file_data": "data:application/pdf;base64,cGRm",
                    },
                    {"type": "input_file", "file_url": "https://h/f.pdf"},
                ],
            },
            {"role": "assistant", "content": [{"type": "output_text", "text": "Yes."}]},
        ],
    }


def answer_of(*content: Any, **fields: Any) -> ChatAnswer:
    output = [{"type": "reasoning"}, {"type": "message", "content": list(content)}]
    body = {"id": "resp_1", "status": "completed", "output": output, "usage": USAGE, **fields}
    return decode_response(json.dumps(body).encode())


def test_an_answer() -> None:
    text = {"type": "output_text", "text": "Hi"}
    answer = answer_of(text, text, model="m")
    assert (answer.text, answer.finish_reason, answer.usage) == ("HiHi", "stop", TOKENS)
    assert (answer.model, answer.request_id) == ("m", "resp_1")


def test_an_answer_at_the_limit_may_be_empty() -> None:
    details = {"reason": "max_output_tokens"}
    answer = answer_of(status="incomplete", incomplete_details=details)
    assert (answer.text, answer.is_truncated) == ("", True)


@pytest.mark.parametrize(
    ("content", "fields", "kind"),
    [
        ([{"type": "refusal", "refusal": "No."}], {}, RefusalError),
        (
            [],
            {"status": "incomplete", "incomplete_details": {"reason": "content_filter"}},
            RefusalError,
        ),
        ([], {}, MalformedAnswerError),
        ([], {"output": [{"type": "function_call"}]}, AnswerError),
        (
            [],
            {"status": "failed", "error": {"code": "server_error", "message": "Oh."}},
            ServerError,
        ),
    ],
)
def test_answers_of_no_use_keep_their_bill(
    content: list[Any], fields: dict[str, Any], kind: type[ProviderError]
) -> None:
    with pytest.raises(kind) as caught:
        answer_of(*content, **fields)
    assert type(caught.value) is kind
    assert caught.value.usage == TOKENS
    assert caught.value.request_id == "resp_1"


def test_a_body_that_is_cut_is_no_answer() -> None:
    with pytest.raises(MalformedAnswerError, match="bytes"):
        decode_response(b'{"output": [')


@pytest.mark.parametrize(
    "request_", [LLMRequest("x", stop=["END"]), LLMRequest("x", max_output_tokens=15)]
)
def test_what_this_api_does_not_take_is_refused(request_: LLMRequest) -> None:
    with pytest.raises(InputError, match="Chat Completions"):
        encode_response(request_, "m")
