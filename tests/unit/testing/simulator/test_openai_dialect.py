"""How OpenAI writes durations, keys and limits."""

from __future__ import annotations

import json

import pytest

from batch_llm.testing.simulator import ModelCall
from batch_llm.testing.simulator.books import CallRecord
from batch_llm.testing.simulator.limits import Admission, Quota
from batch_llm.testing.simulator.openai.dialect import OpenAIDialect, duration, masked
from batch_llm.testing.simulator.serving import Outcome


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (-1, "0s"),
        (0.0004, "1ms"),
        (0.02, "20ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (1.5, "1.5s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (362.25, "6m2.25s"),
        (3_603.25, "1h0m3.25s"),
        (86_400, "24h0m0s"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("k", "k"),
        ("12345678", "12345678"),
        ("123456789", "12345678*"),
        ("YOUR_API_KEY", "YOUR_API*KEY"),
        ("sk-proj-0123456789abcdef", "sk-proj-************cdef"),
    ],
)
def test_a_key_is_masked(key: str, shown: str) -> None:
    assert masked(key) == shown
    assert len(shown) == len(key)


def outcome_of(admission: Admission) -> Outcome:
    call = ModelCall("openai", "chat.completions", "gpt-4o", "k", [("user", "a")])
    record = CallRecord(0.0, "openai", "chat.completions", "gpt-4o", "k", "live", b"")
    return Outcome(call, record, admission=admission)


def test_rate_headers_name_what_has_a_limit() -> None:
    quotas = {"requests": Quota(60, -1, 0.5), "tokens": Quota(1_000, 990, 61.0)}
    headers = OpenAIDialect().rate_headers(Admission(quotas=quotas))  # type: ignore[arg-type]
    assert headers == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "500ms",
        "x-ratelimit-limit-tokens": "1000",
        "x-ratelimit-remaining-tokens": "990",
        "x-ratelimit-reset-tokens": "1m1s",
    }
    assert OpenAIDialect().rate_headers(Admission()) == {}


def test_a_limit_without_a_quota_is_said_all_the_same() -> None:
    refused = OpenAIDialect().limited(
        outcome_of(Admission(exceeded="output_tokens", retry_after_seconds=2.5, requested=9))
    )
    error = json.loads(refused.body)["error"]
    assert "on output tokens per min: Limit 0, Used 0, Requested 9." in error["message"]
    assert "Please try again in 2.5s." in error["message"]
    assert refused.headers == {"retry-after": "3", "retry-after-ms": "2500"}


def test_an_unknown_word_becomes_the_type() -> None:
    error = json.loads(OpenAIDialect().error(418, error_type="teapot").body)["error"]
    assert (error["type"], error["code"], error["param"]) == ("teapot", None, None)
    assert error["message"]
