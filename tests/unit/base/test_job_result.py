"""How a job ended, and that it is told the same after it was kept."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, computed_field

from batch_llm import InputError, JobResult
from batch_llm.base import Citation, CitedValue
from batch_llm.base.json_text import as_json


class Line(BaseModel):
    price: Decimal
    due: date


class Invoice(BaseModel):
    model_config = {"extra": "forbid"}
    number: str = Field(alias="no")
    lines: list[Line]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def count(self) -> int:
        return len(self.lines)


class TwoNames(BaseModel):
    x: int = Field(default=0, validation_alias="in", serialization_alias="out")


class Measured(BaseModel):
    price: float
    weights: list[float] = []
    discount: float | None = None


class Keyed(BaseModel):
    error: str


def kept(result: JobResult, model: Any = None) -> JobResult:
    return JobResult.from_dict(json.loads(json.dumps(result.to_dict())), response_model=model)


def test_the_error_decides_where_no_outcome_is_given() -> None:
    assert JobResult("a", "text").outcome == "succeeded"
    failed = JobResult("a", error="no")
    assert (failed.outcome, failed.is_success) == ("failed", False)
    assert JobResult("a", error="late", outcome="expired").outcome == "expired"
    with pytest.raises(InputError, match="'done'"):
        JobResult("a", outcome="done")  # type: ignore[arg-type]


def test_the_seeds_fields_stand_in_their_order() -> None:
    result = JobResult("job_1", "text", {"a": 1}, [], 10, 5, 0.5, None)
    assert result.is_success is True
    assert (result.input_tokens, result.total_tokens, result.cost_usd) == (10, 15, 0.5)
    assert JobResult("a").cost_usd is None


def test_a_model_comes_back_as_the_model() -> None:
    text = '{"no": "7", "lines": [{"price": "1.10", "due": "2026-03-01"}]}'
    parsed = Invoice.model_validate_json(text)
    result = JobResult("a", text, parsed)
    assert kept(result, Invoice) == result
    assert kept(result).parsed_response == json.loads(text)


def test_a_model_that_reads_other_names_than_it_writes_comes_back_by_its_text() -> None:
    result = JobResult("a", '```json\n{"in": 7}\n```', TwoNames.model_validate({"in": 7}))
    assert kept(result, TwoNames) == result


@pytest.mark.parametrize("answered", ["NaN", "-Infinity", "1e999", "1.5"])
def test_a_number_that_json_has_no_word_for_comes_back_by_the_text(answered: str) -> None:
    text = f'{{"price": {answered}, "weights": [{answered}], "discount": {answered}}}'
    result = JobResult("a", text, Measured.model_validate_json(text))
    told = json.loads(as_json(result.to_dict()))
    back = JobResult.from_dict(told, response_model=Measured).parsed_response
    assert repr(back) == repr(result.parsed_response)
    assert repr(JobResult.from_dict(result.to_dict(), response_model=Measured)) == repr(result)


def test_a_model_that_was_made_of_something_else_than_the_text_comes_back() -> None:
    result = JobResult("a", '{"price": 1}', Measured(price=2.5))
    assert JobResult.from_dict(result.to_dict(), response_model=Measured) == result


def test_a_dictionary_with_an_error_stays_one_whatever_the_model_is_called() -> None:
    error = JobResult("a", "{", {"error": "not JSON"}, error="OutputValidationError: …")
    assert kept(error, Keyed).parsed_response == {"error": "not JSON"}
    model = JobResult("a", '{"error": "x"}', Keyed(error="x"))
    assert kept(model, Keyed).parsed_response == Keyed(error="x")


def test_an_answer_that_no_longer_fits_is_told_of_by_job() -> None:
    told = JobResult("job-7", '{"error": "x"}', Keyed(error="x")).to_dict()
    with pytest.raises(InputError, match="'job-7' does not fit Invoice"):
        JobResult.from_dict(told, response_model=Invoice)


@pytest.mark.parametrize(
    ("data", "says"), [({}, "no job_id"), ({"job_id": "a", "x": 1}, "a field 'x'")]
)
def test_what_is_no_result_is_refused(data: dict[str, Any], says: str) -> None:
    with pytest.raises(InputError, match=says):
        JobResult.from_dict(data)


NUMBERS = st.none() | st.integers(0, 10**9)
CITATIONS = st.builds(
    Citation,
    cited_text=st.text(),
    document_index=NUMBERS,
    document_title=st.none() | st.text(),
    kind=st.sampled_from(["char", "page", "block", "grounding"]),
    start=NUMBERS,
    end=NUMBERS,
    url=st.none() | st.text(),
    answer_start=NUMBERS,
    answer_end=NUMBERS,
)
CITED_VALUES = st.builds(CitedValue, CITATIONS, st.floats(0, 1), st.integers(0), st.integers(0))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
RESULTS = st.builds(
    JobResult,
    job_id=st.text(min_size=1),
    response=st.text(),
    parsed_response=JSON | st.builds(Keyed, error=st.text()),
    citations=st.none() | st.lists(CITATIONS, max_size=2),
    input_tokens=st.integers(0, 10**9),
    output_tokens=st.integers(0, 10**9),
    cost_usd=st.none() | st.floats(0, 1e6),
    error=st.none() | st.text(),
    outcome=st.sampled_from(["succeeded", "failed", "expired", "cancelled"]),
    error_category=st.none() | st.text(),
    finish_reason=st.none() | st.text(),
    is_truncated=st.booleans(),
    cached_input_tokens=st.integers(0, 10**9),
    reasoning_tokens=st.integers(0, 10**9),
    embedding=st.none() | st.lists(st.floats(-1, 1), max_size=3),
    citation_mappings=st.none()
    | st.dictionaries(st.text(), st.lists(CITED_VALUES, max_size=2), max_size=2),
    batch_id=st.none() | st.text(),
    raw_response=st.none() | st.dictionaries(st.text(), JSON, max_size=2),
    raw_request=st.none() | st.dictionaries(st.text(), JSON, max_size=2),
)


@given(RESULTS)
def test_a_result_that_was_kept_is_the_same_result(result: JobResult) -> None:
    assert kept(result, Keyed) == result


def test_a_citation_is_of_a_known_kind() -> None:
    with pytest.raises(InputError, match="'line'"):
        Citation("t", 0, None, "line", 0, 1)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="other fields"):
        Citation.from_dict({"cited_text": "t"})
    with pytest.raises(InputError, match="cited value"):
        CitedValue.from_dict({"confidence": 0.5})
