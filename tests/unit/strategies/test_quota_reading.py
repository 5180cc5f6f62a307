"""Limits in the headers of replies."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from batch_llm.strategies import Allowance, QuotaReading, listening, read_quota, report_quota


def openai(reset: str) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": "3000",
        "x-ratelimit-remaining-requests": "2999",
        "x-ratelimit-reset-requests": reset,
    }


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [
        ("6m0s", 360.0),
        ("1.5s", 1.5),
        ("20ms", 0.02),
        ("1h2m3s", 3_723.0),
        ("1d", 86_400.0),
        ("17", 17.0),
        ("", 0.0),
        ("soon", 0.0),
        ("5x", 0.0),
        ("-3", 0.0),
        ("nan", 0.0),
    ],
)
def test_openai_tells_durations(reset: str, seconds: float) -> None:
    assert read_quota(openai(reset)) == QuotaReading(requests=Allowance(3000, 2999, seconds))


def test_openai_tells_requests_and_tokens() -> None:
    headers = openai("20ms") | {
        "x-ratelimit-limit-tokens": "150000",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "6s",
    }
    reading = read_quota(headers)
    assert reading is not None
    assert reading.tokens == Allowance(150_000, 0, 6.0)


def test_anthropic_tells_times() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=30)
    headers = {}
    for name, limit in (("requests", 50), ("input-tokens", 30_000), ("output-tokens", 8_000)):
        headers[f"anthropic-ratelimit-{name}-limit"] = str(limit)
        headers[f"anthropic-ratelimit-{name}-remaining"] = "7"
        headers[f"anthropic-ratelimit-{name}-reset"] = soon.isoformat().replace("+00:00", "Z")
    reading = read_quota(headers)
    assert reading is not None
    assert reading.tokens is None
    assert reading.requests is not None
    assert (reading.requests.limit, reading.requests.remaining) == (50, 7)
    assert reading.requests.reset_seconds == pytest.approx(30, abs=2)
    assert reading.input_tokens is not None
    assert reading.input_tokens.limit == 30_000
    assert reading.output_tokens is not None
    assert reading.output_tokens.limit == 8_000


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"retry-after": "1"},
        {"anthropic-ratelimit-requests-remaining": "1"},
    ],
)
def test_headers_that_tell_no_limit_are_no_reading(headers: dict[str, str]) -> None:
    assert read_quota(headers) is None


@pytest.mark.parametrize("value", ["", "many", "inf", "-1", "0"])
def test_a_limit_that_is_no_number_is_left_out(value: str) -> None:
    headers = openai("1s") | {"x-ratelimit-limit-requests": value}
    assert read_quota(headers) == QuotaReading()


async def test_what_is_reported_is_heard_in_the_context_of_the_listener_alone() -> None:
    heard: list[tuple[str | None, QuotaReading]] = []

    def listen(scope: str | None, reading: QuotaReading) -> None:
        heard.append((scope, reading))

    async def report(scope: str) -> None:
        report_quota(scope, openai("1s"))

    with listening(listen):
        inside: asyncio.Task[Any] = asyncio.create_task(report("inside"))
    outside: asyncio.Task[Any] = asyncio.create_task(report("outside"))
    await asyncio.gather(inside, outside)
    assert [scope for scope, _ in heard] == ["inside"]


def test_replies_without_limits_are_not_reported() -> None:
    heard: list[object] = []
    with listening(lambda scope, reading: heard.append(reading)):
        report_quota(None, {"content-type": "application/json"})
    assert heard == []
