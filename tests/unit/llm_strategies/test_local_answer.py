from __future__ import annotations

import json
from typing import Any

import pytest
from tests.fake_llama import USAGE, chunks

from batch_llm.exceptions import InvalidRequestError, MalformedAnswerError, ServerError
from batch_llm.llm_strategies.local_answer import StreamedAnswer, refusal

PROMPT = "What colour has the sky on the day of the test?"


def read(*sent: dict[str, Any]) -> StreamedAnswer:
    answer = StreamedAnswer((PROMPT,))
    for chunk in sent:
        answer.add(json.dumps(chunk).encode())
    return answer


def test_an_answer_is_put_together_from_its_chunks() -> None:
    answer = read(*chunks("blue", "", " é")).finish()
    assert (answer.text, answer.finish_reason) == ("blue é", "stop")
    assert answer.usage == {
        "input_tokens": USAGE["prompt_tokens"],
        "output_tokens": USAGE["completion_tokens"],
        "total_tokens": USAGE["total_tokens"],
        "cached_input_tokens": 24,
    }


def test_an_answer_may_be_empty_or_cut() -> None:
    assert read(*chunks()).finish().text == ""
    assert read(*chunks("so", finish_reason="length")).finish().is_truncated


def test_it_is_whole_once_the_model_said_why_it_ended() -> None:
    sent = chunks("blue")
    answer = read(*sent[:2])
    assert not answer.is_whole
    answer.add(json.dumps(sent[2]).encode())
    assert answer.is_whole


def test_an_answer_without_an_end_is_malformed() -> None:
    with pytest.raises(MalformedAnswerError, match="without a finish reason"):
        read(*chunks("blue")[:2]).finish()


@pytest.mark.parametrize(
    "data", [b"", b"[DONE]", b'{"choices": 1}', b"\xff", b'{"usage":' + b"[" * 100_000]
)
def test_anything_else_is_malformed_and_nothing_is_raised_into_the_engine(data: bytes) -> None:
    answer = read(*chunks("blue"))
    answer.add(data)
    assert answer.has_failed
    with pytest.raises(MalformedAnswerError, match="no chunk of an answer"):
        answer.finish()


def error(code: int, message: str, kind: str = "invalid_request_error", **more: int) -> Any:
    return {"error": {"code": code, "message": message, "type": kind, **more}}


def test_a_prompt_beyond_the_context_says_how_far_and_what_to_do() -> None:
    answer = read(
        error(400, "too long", "exceed_context_size_error", n_prompt_tokens=3031, n_ctx=2048)
    )
    assert answer.has_failed
    with pytest.raises(InvalidRequestError) as caught:
        answer.finish()
    assert str(caught.value) == (
        "The prompt has 3031 tokens; the local model has room for 2048 a request, the answer "
        "included. Shorten the prompt, or raise context_tokens."
    )
    assert (caught.value.status_code, caught.value.code) == (400, "exceed_context_size_error")


def test_a_refused_request_says_why_without_the_prompt() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read(error(400, f"cannot read: {PROMPT}")).finish()
    assert str(caught.value) == "The local model refuses the request: cannot read: …"


def test_a_failure_of_the_engine_may_pass() -> None:
    with pytest.raises(ServerError, match=r"llama\.cpp failed: out of memory") as caught:
        read(*chunks("blue")[:2], error(500, "out of memory", "server_error")).finish()
    assert caught.value.status_code == 500


def test_a_refusal_hides_what_is_private() -> None:
    assert PROMPT not in str(refusal(f"bad: {PROMPT}", (PROMPT,)))
