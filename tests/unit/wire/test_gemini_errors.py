from __future__ import annotations

from typing import Any

import pytest

from batch_llm.exceptions import (
    AuthenticationError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from batch_llm.wire.gemini_errors import (
    CACHE_GONE,
    CACHE_TOO_SMALL,
    DAILY_QUOTA_EXHAUSTED,
    error_from_exception,
)

TOO_SMALL = "Cached content is too small. total_token_count=9, min_total_token_count=1024"
TOO_SMALL_ON_GOOGLE_CLOUD = (
    "The cached content is of 9 tokens. The minimum token count to start caching is 4096."
)


class SdkError(Exception):
    """Has what a `google.genai.errors.APIError` has."""

    def __init__(
        self, code: object, status: object = None, message: object = None, details: Any = None
    ) -> None:
        super().__init__(f"{code} {status}. {details}")
        self.code = code
        self.status = status
        self.message = message
        self.details = details


def read(*fields: Any, **settings: Any) -> ProviderError:
    error = error_from_exception(SdkError(*fields), **settings)
    assert error is not None
    return error


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (429, "RESOURCE_EXHAUSTED", RateLimitedError),
        (None, "RESOURCE_EXHAUSTED", RateLimitedError),
        (429, None, RateLimitedError),
        (401, "UNAUTHENTICATED", AuthenticationError),
        (403, "Forbidden", AuthenticationError),
        (408, None, ProviderTimeoutError),
        (504, "Gateway Timeout", ProviderTimeoutError),
        (503, "UNAVAILABLE", ServerError),
        (502, "Bad Gateway", ServerError),
        (409, "ABORTED", ServerError),
        (400, "FAILED_PRECONDITION", InvalidRequestError),
        (413, None, InvalidRequestError),
    ],
)
def test_the_status_and_googles_word_say_what_it_is(
    code: int | None, status: str | None, kind: type[ProviderError]
) -> None:
    error = read(code, status)
    assert type(error) is kind
    assert error.status_code == code
    assert error.code == status


@pytest.mark.parametrize(
    "exception",
    [ValueError("429"), SdkError("429"), SdkError(1), SdkError(None, "OK"), ServerError("x")],
)
def test_anything_else_is_none(exception: Exception) -> None:
    assert error_from_exception(exception) is None


@pytest.mark.parametrize(
    ("status", "message", "code"),
    [
        (403, "CachedContent not found (or permission denied)", CACHE_GONE),
        (404, "Not found: cached content metadata for 61167047586.", CACHE_GONE),
        (400, "Cache content 61167047586 is expired.", CACHE_GONE),
        (400, TOO_SMALL, CACHE_TOO_SMALL),
        (400, TOO_SMALL_ON_GOOGLE_CLOUD, CACHE_TOO_SMALL),
        (404, "models/gemini-0 is not found for API version v1.", "WORD"),
        (403, "Your key has no permission.", "WORD"),
        (400, "CachedContent can not be used with GenerateContent request setting tools.", "WORD"),
        (500, "CachedContent not found", "WORD"),
    ],
)
def test_what_google_says_of_caches_only_in_words(status: int, message: str, code: str) -> None:
    assert read(status, "WORD", message).code == code


@pytest.mark.parametrize(
    "details",
    [
        {"error": {"details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerModel"}]}]}},
        [{"violations": [{"quotaId": "PerMinute"}, {"quotaMetric": "x/requests_per_day"}]}],
    ],
)
def test_a_quota_of_the_day(details: object) -> None:
    error = read(429, "RESOURCE_EXHAUSTED", "No.", details, retry_after=20.0)
    assert type(error) is RateLimitedError
    assert error.code == DAILY_QUOTA_EXHAUSTED
    assert error.retry_after is None
    assert "midnight" in str(error)


def test_a_quota_of_the_minute_is_an_ordinary_rate_limit() -> None:
    details = [{"violations": [{"quotaId": "GenerateRequestsPerMinute"}]}]
    error = read(429, "RESOURCE_EXHAUSTED", "No.", details, retry_after=20.0)
    assert (error.code, error.retry_after) == ("RESOURCE_EXHAUSTED", 20.0)


def test_a_wait_that_only_the_message_names() -> None:
    assert read(429, None, "Quota exceeded. Please retry in 20.5s.").retry_after == 20.5
    assert read(429, None, "Please retry in 20.5s.", retry_after=1.0).retry_after == 1.0


def test_the_message_is_short_and_holds_nothing_private() -> None:
    prompt = "the patient, born in 1960, complains of"
    said = f"Invalid text: {prompt} " + "and so on " * 50
    message = str(read(400, "INVALID_ARGUMENT", said, private=[prompt]))
    assert message.startswith("Gemini answered 400 INVALID_ARGUMENT: Invalid text:")
    assert "patient" not in message
    assert len(message) <= 200
