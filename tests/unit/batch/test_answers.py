"""What a provider answered, as results."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import BaseModel, field_validator

from batch_llm.base import Job, JobResult, PricedModel
from batch_llm.batch.results.answers import missing_result, result_of
from batch_llm.exceptions import (
    InvalidRequestError,
    MalformedAnswerError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.wire.batch_item import BatchAnswer
from batch_llm.wire.remote_status import RemoteCounts, RemoteError, RemoteStatus

MINI = PricedModel("openai", "gpt-4o-mini")


class Total(BaseModel):
    total: int


class Broken(BaseModel):
    total: int

    @field_validator("total")
    @classmethod
    def fail(cls, _: int) -> int:
        raise RuntimeError("a secret")


def read(answer: BatchAnswer, priced: PricedModel = MINI, **fields: Any) -> JobResult:
    return result_of(Job("a", prompt="x", model="m", **fields), answer, priced, "batch_1")


def said(text: str, **fields: Any) -> BatchAnswer:
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    given: dict[str, Any] = {"custom_id": "a", "outcome": "succeeded", "usage": usage, **fields}
    return BatchAnswer(text=text, **given)


def test_an_answer_is_billed_at_the_price_of_the_lane() -> None:
    result = read(said("hello"))
    assert (result.response, result.outcome, result.total_tokens) == ("hello", "succeeded", 15)
    assert result.cost_usd == pytest.approx((10 * 0.15 + 5 * 0.6) / 2e6)


def test_an_answer_without_a_bill_has_a_cost_that_nobody_knows() -> None:
    assert read(said("hello", usage=None)).cost_usd is None


def test_an_answer_fits_its_model() -> None:
    assert read(said('{"total": 3}'), response_model=Total).parsed_response == Total(total=3)


@pytest.mark.parametrize("model", [Total, Broken])
def test_one_that_does_not_says_why_and_keeps_the_text(model: type[BaseModel]) -> None:
    text = '{"total": "none"}' if model is Total else '{"total": 1}'
    result = read(said(text, finish_reason="length"), response_model=model)
    assert (result.outcome, result.error_category) == ("failed", "validation_error")
    assert result.parsed_response == {"error": result.error}
    assert result.response == text
    assert result.is_truncated
    assert "max_tokens" in (result.error or "")
    assert "secret" not in (result.error or "")
    assert result.cost_usd


def test_a_failed_request_costs_nothing() -> None:
    error = ServerError("The provider failed.", code="server_error")
    result = read(BatchAnswer(custom_id="a", outcome="errored", error=error))
    assert (result.outcome, result.error_category) == ("failed", "server_error")
    assert (result.error, result.cost_usd) == ("The provider failed.", 0.0)


@pytest.mark.parametrize(
    ("error", "category"),
    [
        (RefusalError("Declined.", code="SAFETY"), "client_error"),
        (InvalidRequestError("No.", status_code=400, code="invalid_value"), "client_error"),
        (RateLimitedError("Later.", status_code=429, code="rate_limit_exceeded"), "rate_limit"),
        (MalformedAnswerError("The answer holds no text."), "server_error"),
    ],
)
def test_failures_mean_what_they_mean_in_the_live_lane(error: Any, category: str) -> None:
    result = read(BatchAnswer(custom_id="a", outcome="errored", error=error))
    assert (result.outcome, result.error_category) == ("failed", category)


@pytest.mark.parametrize(("given", "told"), [("expired", "expired"), ("canceled", "cancelled")])
def test_ends_keep_their_names(given: Any, told: str) -> None:
    result = read(BatchAnswer(custom_id="a", outcome=given))
    assert (result.outcome, result.error_category) == (told, told)
    assert result.error


def test_citations_are_mapped_onto_the_fields() -> None:
    quote = {
        "type": "char_location", "cited_text": "Total: 4711", "document_index": 0,
        "document_title": "Invoice", "start_char_index": 0, "end_char_index": 11,
    }  # fmt: skip
    text = '{"total": 4711}'
    content = [{"type": "text", "text": text, "citations": [quote]}]
    raw = json.dumps({"result": {"message": {"content": content}}}).encode()
    priced = PricedModel("anthropic", "claude-haiku-4-5")
    result = read(said(text, raw=raw), priced, response_model=Total, enable_citations=True)
    assert [each.cited_text for each in result.citations or ()] == ["Total: 4711"]
    (value,) = (result.citation_mappings or {})["total"]
    assert value.citation.cited_text[value.start : value.end] == "4711"
    assert value.confidence >= 0.9
    assert list(result.citation_mappings or ()) == ["total"]


def test_grounding_is_read_where_an_answer_brings_it() -> None:
    text = '{"total": 4711}'
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"endIndex": len(text), "text": text}, "groundingChunkIndices": [0]}
        ],
    }
    candidate = {"content": {"parts": [{"text": text}]}, "groundingMetadata": grounding}
    raw = json.dumps({"response": {"candidates": [candidate]}}).encode()
    priced = PricedModel("gemini", "gemini-2.5-flash")
    result = read(said(text, raw=raw), priced, response_model=Total)
    (citation,) = result.citations or ()
    assert (citation.url, citation.cited_text) == ("https://a.example", "")
    assert (citation.answer_start, citation.answer_end) == (0, len(text))
    assert not result.citation_mappings
    assert read(said(text, raw=b"{}"), priced, response_model=Total).citations is None


def test_a_missing_job_says_how_its_batch_ended() -> None:
    error = RemoteError("Nothing is left.", "billing")
    status = RemoteStatus(id="batch_1", state="ended", ended_as="failed", error=error)
    result = missing_result("a", status)
    assert (result.outcome, result.error_category) == ("failed", "billing")
    assert "Nothing is left." in (result.error or "")
    assert result.cost_usd == 0.0


def test_what_a_completed_batch_lacks_may_have_been_billed() -> None:
    status = RemoteStatus(id="batch_1", state="ended", ended_as="completed")
    assert missing_result("a", status).cost_usd is None


@pytest.mark.parametrize("end", ["expired", "cancelled"])
@pytest.mark.parametrize(
    ("counts", "cost_usd"),
    [(RemoteCounts(), None), (RemoteCounts(9, 4), None), (RemoteCounts(9, 0), 0.0)],
    ids=["nobody counted", "some had run", "none had run"],
)
def test_what_a_batch_had_run_before_its_end_may_have_been_billed(
    end: Any, counts: RemoteCounts, cost_usd: float | None
) -> None:
    status = RemoteStatus(id="batch_1", state="ended", ended_as=end, counts=counts)
    assert missing_result("a", status).cost_usd == cost_usd


def test_a_batch_that_was_stopped_before_it_was_counted_ran_nothing() -> None:
    """So it is with providers that give the results of all that was run."""
    status = RemoteStatus(id="batch_1", state="ended", ended_as="cancelled")
    assert missing_result("a", status, has_partial=True).cost_usd == 0.0


@pytest.mark.parametrize(
    ("given", "lane"),
    [
        (JobResult("a", "yes"), "batch"),
        (JobResult("a", error="no"), "batch"),
        (JobResult("a", error="late", outcome="expired"), None),
        (JobResult("a", "yes", lane="live"), "live"),
    ],
)
def test_what_a_provider_of_ones_own_answers_has_its_lane(
    given: JobResult, lane: str | None
) -> None:
    answer = BatchAnswer(custom_id="a", outcome="succeeded", result=given)
    assert read(answer).lane == lane
