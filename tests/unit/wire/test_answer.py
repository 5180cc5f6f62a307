from __future__ import annotations

import pytest
from pydantic import BaseModel

from batch_llm.base.request import LLMRequest
from batch_llm.exceptions import OutputTruncatedError, OutputValidationError
from batch_llm.strategies import DefaultErrorClassifier
from batch_llm.wire.answer import ChatAnswer, parse_output


class Verdict(BaseModel):
    label: str
    score: int


JUDGED = LLMRequest("judge", output_schema=Verdict, max_output_tokens=4)


def answered(text: str, finish_reason: str = "stop") -> ChatAnswer:
    usage = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
    return ChatAnswer(text, finish_reason, usage, request_id="r-1")  # type: ignore[arg-type]


def test_without_a_schema_the_output_is_the_text() -> None:
    assert parse_output(answered("hi"), LLMRequest("hello")) == "hi"
    assert parse_output(answered("hi", "length"), LLMRequest("hello")) == "hi"


def test_with_a_schema_the_output_fits_it() -> None:
    text = '{"label": "good", "score": 3}'
    assert parse_output(answered(text), JUDGED) == Verdict(label="good", score=3)
    plain = LLMRequest("judge", output_schema=Verdict.model_json_schema())
    assert parse_output(answered(text), plain) == {"label": "good", "score": 3}


def test_a_cut_answer_with_a_schema_is_truncated() -> None:
    answer = answered('{"label": "go', "length")
    with pytest.raises(OutputTruncatedError, match=r"after 4 output.*now 4") as raised:
        parse_output(answer, JUDGED)
    assert (raised.value.usage, raised.value.request_id) == (answer.usage, "r-1")
    assert not DefaultErrorClassifier().classify(raised.value).is_retryable


def test_an_answer_that_does_not_fit_carries_what_it_cost() -> None:
    answer = answered('{"label": "good"}')
    with pytest.raises(OutputValidationError, match="score") as raised:
        parse_output(answer, JUDGED)
    assert (raised.value.usage, raised.value.request_id) == (answer.usage, "r-1")
    info = DefaultErrorClassifier().classify(raised.value)
    assert (info.error_category, info.is_retryable) == ("validation_error", True)
