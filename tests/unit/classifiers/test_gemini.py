"""What only `GeminiErrorClassifier` knows; the rest is in tests/contract/test_classifiers.py."""

from __future__ import annotations

from typing import Any

import pytest

from batch_llm.classifiers import GeminiErrorClassifier
from batch_llm.exceptions import RateLimitedError
from batch_llm.strategies import ErrorInfo
from batch_llm.wire.gemini_errors import DAILY_QUOTA_EXHAUSTED


class SdkError(Exception):
    def __init__(self, **fields: Any) -> None:
        super().__init__("No.")
        self.__dict__.update(fields)


def classify(exception: Exception) -> ErrorInfo:
    return GeminiErrorClassifier().classify(exception)


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("RESOURCE_EXHAUSTED", "rate_limit"),
        ("UNAVAILABLE", "server_error"),
        ("INTERNAL", "server_error"),
        ("DEADLINE_EXCEEDED", "api_timeout"),
        ("UNAUTHENTICATED", "client_error"),
        ("PERMISSION_DENIED", "client_error"),
    ],
)
def test_googles_word_without_a_status(word: str, category: str) -> None:
    assert classify(SdkError(status=word)).error_category == category


@pytest.mark.parametrize(
    "details",
    [
        {"error": {"details": [{"retryDelay": "41s"}]}},
        {"details": [{"retryDelay": "41s"}]},
        [{"retryDelay": "41s"}],
    ],
)
def test_the_wait_wherever_the_sdk_left_it(details: object) -> None:
    info = classify(SdkError(code=429, details=details))
    assert info == ErrorInfo(True, True, False, "rate_limit", 41.0)


def test_a_quota_of_the_day_ends_the_item_as_a_rate_limit() -> None:
    spent = ErrorInfo(False, False, False, "rate_limit")
    details = [{"violations": [{"quotaId": "RequestsPerDay"}]}, {"retryDelay": "41s"}]
    assert classify(SdkError(code=429, details=details)) == spent
    assert classify(RateLimitedError("No.", code=DAILY_QUOTA_EXHAUSTED)) == spent


def test_a_key_that_is_wrong() -> None:
    details = {"error": {"details": [{"reason": "API_KEY_INVALID"}]}}
    assert classify(SdkError(code=400, details=details)).error_category == "client_error"
