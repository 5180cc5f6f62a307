"""What Gemini says in its own way: times, pages, quotas, models."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.testing.simulator import ModelCall
from batch_llm.testing.simulator.books import CallRecord
from batch_llm.testing.simulator.gemini.dialect import GeminiDialect
from batch_llm.testing.simulator.gemini.models import Model
from batch_llm.testing.simulator.gemini.pages import PageRequest
from batch_llm.testing.simulator.gemini.refusal import RefusedError
from batch_llm.testing.simulator.gemini.timestamps import moment_of, seconds_of
from batch_llm.testing.simulator.limits import Admission, Measure, Quota
from batch_llm.testing.simulator.serving import Outcome


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("60s", 60.0),
        ("0s", 0.0),
        ("3.5s", 3.5),
        ("0.000000001s", 1e-9),
        ("60", None),
        ("-1s", None),
        ("1e3s", None),
        ("1.s", None),
        ("1m", None),
        ("", None),
        ("9" * 13 + "s", None),
    ],
)
def test_durations(written: str, seconds: float | None) -> None:
    assert seconds_of(written) == seconds


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("1970-01-01T00:01:00Z", 60.0),
        ("1970-01-01T00:01:00.5Z", 60.5),
        ("1970-01-01T01:00:00+01:00", 0.0),
        ("1970-01-01T00:01:00.123456789Z", 60.123456),
        ("1970-01-01T00:01:00", None),
        ("tomorrow", None),
        ("0001-01-01T00:00:00+23:59", -62135683140.0),
        ("", None),
    ],
)
def test_moments(written: str, moment: float | None) -> None:
    assert moment_of(written) == moment


def page_of(things: list[int], query: dict[str, str]) -> tuple[list[int], str | None]:
    page = PageRequest.of(query, usual=2, most=5).cut("things", things, lambda n: {"n": n})
    told = json.loads(page.body)
    return [thing["n"] for thing in told.get("things", [])], told.get("nextPageToken")


def walk(things: list[int], size: int) -> list[list[int]]:
    query, pages = {"pageSize": str(size)}, []
    while True:
        page, token = page_of(things, query)
        pages.append(page)
        if token is None:
            return pages
        query = {**query, "pageToken": token}


def test_pages() -> None:
    things = list(range(7))
    assert walk(things, 3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert walk(things, 0) == [[0, 1], [2, 3], [4, 5], [6]]
    assert walk(things, 100) == [[0, 1, 2, 3, 4], [5, 6]]
    assert walk([], 3) == [[]]


def test_a_page_stays_where_it_was_whatever_comes_or_goes_before_it() -> None:
    _, token = page_of([5, 4, 3, 2, 1], {})
    query = {"pageToken": token or ""}
    assert page_of([6, 5, 4, 3, 2, 1], query)[0] == [3, 2]
    assert page_of([3, 2, 1], query)[0] == [3, 2]
    assert page_of([2, 1], query)[0] == [2, 1]


@pytest.mark.parametrize(
    "query",
    [
        {"page_size": "x"},
        {"pageSize": "-1"},
        {"pageToken": "?"},
        {"page_token": "bGVmdA=="},
        {"pageToken": "é"},
    ],
)
def test_pages_that_there_are_not(query: dict[str, str]) -> None:
    with pytest.raises(RefusedError):
        page_of([1], query)


def limited(measure: Measure, seconds: float, *, too_large: bool = False) -> Any:
    call = ModelCall("gemini", "generateContent", "gemini-2.5-flash", "k", [])
    record = CallRecord(0.0, "gemini", "generateContent", call.model, "k", "live", b"")
    quotas = {measure: Quota(250_000, 0, 60.0)}
    admission = Admission(measure, seconds, too_large=too_large, quotas=quotas)
    response = GeminiDialect().limited(Outcome(call, record, admission=admission))
    assert (response.status, response.headers) == (429, {})
    return json.loads(response.body)["error"]["details"]


@pytest.mark.parametrize(
    ("measure", "quota"),
    [
        ("requests", "GenerateRequestsPerMinutePerProjectPerModel-PaidTier"),
        ("slope", "GenerateRequestsPerMinutePerProjectPerModel-PaidTier"),
        ("input_tokens", "GenerateContentInputTokensPerModelPerMinute-PaidTier"),
        ("tokens", "GenerateContentInputTokensPerModelPerMinute-PaidTier"),
    ],
)
def test_a_429_names_the_quota(measure: Measure, quota: str) -> None:
    failed, _, wait = limited(measure, 12.0)
    assert failed["violations"][0]["quotaId"] == quota
    assert failed["violations"][0]["quotaValue"] == "250000"
    assert wait["retryDelay"] == "12s"


def test_no_wait_is_told_to_a_call_that_is_too_large() -> None:
    kinds = [
        detail["@type"].rpartition(".")[2]
        for detail in limited("input_tokens", 0.0, too_large=True)
    ]
    assert kinds == ["QuotaFailure", "Help"]


@pytest.mark.parametrize(
    ("seconds", "delay"), [(0.25, "0.25s"), (1e-9, "0.000000001s"), (0.0, "0s"), (100.0, "100s")]
)
def test_waits_are_plain_decimals(seconds: float, delay: str) -> None:
    assert limited("requests", seconds)[-1]["retryDelay"] == delay


@pytest.mark.parametrize(
    ("name", "thinks", "sure", "least"),
    [
        ("gemini-2.0-flash", False, True, 1_024),
        ("gemini-2.5-flash-lite", True, False, 1_024),
        ("gemini-3-flash-preview", True, False, 1_024),
        ("gemini-2.5-pro", True, False, 4_096),
        ("gemini-3.5-flash", True, False, 4_096),
        ("gemma-3-27b-it", False, False, 4_096),
    ],
)
def test_what_a_model_can_do(name: str, thinks: bool, sure: bool, least: int) -> None:
    model = Model(name, embeds=False)
    assert (model.thinks, model.reports_log_probabilities) == (thinks, sure)
    assert model.minimum_cached_tokens == least
