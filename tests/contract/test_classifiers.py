"""What every classifier must say, whichever provider it was written for."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm import exceptions
from batch_llm.classifiers import (
    DefaultErrorClassifier,
    ErrorClassifier,
    ErrorInfo,
    GeminiErrorClassifier,
)
from batch_llm.strategies import FrameworkTimeoutError

CLASSIFIERS = [DefaultErrorClassifier(), GeminiErrorClassifier()]


@pytest.fixture(params=CLASSIFIERS, ids=lambda classifier: type(classifier).__name__)
def classifier(request: pytest.FixtureRequest) -> ErrorClassifier:
    return request.param  # type: ignore[no-any-return]


class SdkError(Exception):
    """An error of some SDK, with the fields it happens to have."""

    def __init__(self, message: str = "No.", **fields: Any) -> None:
        super().__init__(message)
        self.__dict__.update(fields)


def named(name: str, base: type[Exception] = Exception) -> Exception:
    """Return an error of a library that is not installed here."""
    return type(name, (base,), {})("No.")


def invalid() -> pydantic.ValidationError:
    with pytest.raises(pydantic.ValidationError) as caught:
        pydantic.TypeAdapter(int).validate_python("x")
    return caught.value


RETRIED = {
    "rate_limit": [
        SdkError(code=429),
        SdkError(status_code=429),
        SdkError(response=SimpleNamespace(status_code=429)),
        SdkError(status="RESOURCE_EXHAUSTED"),
        exceptions.RateLimitedError("No.", status_code=429),
        named("RateLimitError"),
        Exception("429 Too Many Requests"),
        Exception("Resource exhausted: quota exceeded"),
    ],
    "framework_timeout": [FrameworkTimeoutError("Too long.", item_id="a")],
    "timeout": [TimeoutError()],
    "api_timeout": [exceptions.ProviderTimeoutError("No."), named("ReadTimeout")],
    "connection_error": [
        ConnectionResetError(),
        exceptions.ConnectionFailedError("No."),
        named("ConnectError", type("TransportError", (Exception,), {})),
    ],
    "validation_error": [
        exceptions.OutputValidationError("No."),
        json.JSONDecodeError("No.", "", 0),
        invalid(),
    ],
    "server_error": [
        SdkError(code=500),
        SdkError(code=503, status="UNAVAILABLE", details=None),
        exceptions.ServerError("No."),
        exceptions.MalformedAnswerError("No."),
    ],
    "server_timeout": [SdkError(code=504, status="DEADLINE_EXCEEDED", details=None)],
    "unknown": [Exception("Something."), OSError("disk")],
}
FAILED = {
    "client_error": [
        *(SdkError(code=status) for status in (400, 401, 403, 404, 413, 422)),
        exceptions.AuthenticationError("No."),
        exceptions.InvalidRequestError("No.", status_code=400),
        exceptions.ConfigurationError("No."),
        exceptions.MissingKeyError("No."),
        exceptions.RefusalError("No.", code="SAFETY"),
        exceptions.OutputTruncatedError("No.", code="MAX_TOKENS"),
    ],
    "logic_error": [
        ValueError("line 4290"),
        TypeError("quota"),
        KeyError("quota"),
        AttributeError("rate limit"),
        exceptions.InputError("No."),
    ],
}


def cases(table: dict[str, list[Exception]]) -> list[Any]:
    return [
        pytest.param(error, category, id=f"{category}-{type(error).__name__}-{number}")
        for category, errors in table.items()
        for number, error in enumerate(errors)
    ]


@pytest.mark.parametrize(("error", "category"), cases(RETRIED))
def test_failures_that_may_pass(
    classifier: ErrorClassifier, error: Exception, category: str
) -> None:
    info = classifier.classify(error)
    assert info.error_category == category
    assert info.is_retryable
    assert info.is_rate_limit == (category == "rate_limit")
    assert info.is_timeout == category.endswith("timeout")
    assert info.suggested_wait is None


@pytest.mark.parametrize(("error", "category"), cases(FAILED))
def test_failures_that_stay(classifier: ErrorClassifier, error: Exception, category: str) -> None:
    assert classifier.classify(error) == ErrorInfo(False, False, False, category)


@pytest.mark.parametrize(
    "fields",
    [
        {"retry_after": 7},
        {"response": SimpleNamespace(headers={"Retry-After": "7"})},
        {"response": SimpleNamespace(headers={"retry-after-ms": "7000"})},
        {"details": {"error": {"details": [{"retryDelay": "7s"}]}}},
    ],
)
def test_the_wait_that_is_asked_for(classifier: ErrorClassifier, fields: dict[str, Any]) -> None:
    for status in (429, 503):
        assert classifier.classify(SdkError(code=status, **fields)).suggested_wait == 7.0
    assert classifier.classify(SdkError(code=400, **fields)).suggested_wait is None


@pytest.mark.parametrize("message", ["see line 4290", "the quotation", "corporate limits"])
def test_parts_of_words_are_no_rate_limit(classifier: ErrorClassifier, message: str) -> None:
    assert not classifier.classify(Exception(message)).is_rate_limit


FIELDS = st.dictionaries(
    st.sampled_from(["code", "status", "status_code", "message", "details", "response", "type"]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
        max_leaves=5,
    ),
)


@given(FIELDS)
def test_no_error_breaks_a_classifier(fields: dict[str, Any]) -> None:
    for classifier in CLASSIFIERS:
        info = classifier.classify(SdkError(**fields))
        assert info.error_category
        assert info.suggested_wait is None or info.is_retryable
