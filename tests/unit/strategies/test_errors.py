"""What a failure means."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any, get_args

import pytest

from batch_llm import (
    AnswerError,
    AuthenticationError,
    BatchLLMError,
    ConfigurationError,
    ConnectionFailedError,
    DefaultErrorClassifier,
    ErrorClassifier,
    ErrorInfo,
    FrameworkTimeoutError,
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    MissingExtraError,
    MissingKeyError,
    OutputTruncatedError,
    OutputValidationError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.exceptions import BudgetExceededError
from batch_llm.strategies.errors import ErrorCategory, info_of_status, status_of


def classify(error: Exception) -> ErrorInfo:
    return DefaultErrorClassifier().classify(error)


def named(
    name: str, message: str = "", base: type[Exception] = Exception, **more: Any
) -> Exception:
    """Return an exception of a class of that name, as some library might raise."""
    error = type(name, (base,), {})(message)
    error.__dict__.update(more)
    return error


RATE_LIMIT = (True, True, False, "rate_limit")
TIMEOUT = (True, False, True)
RETRY = (True, False, False)
STOP = (False, False, False)


def in_short(info: ErrorInfo) -> tuple[bool, bool, bool, str]:
    return (info.is_retryable, info.is_rate_limit, info.is_timeout, info.error_category)


def test_the_categories_are_those_of_the_contract_and_one_of_ours() -> None:
    assert set(get_args(ErrorCategory)) - {"budget_exceeded"} == {
        "rate_limit",
        "framework_timeout",
        "timeout",
        "api_timeout",
        "connection_error",
        "validation_error",
        "logic_error",
        "client_error",
        "server_error",
        "server_timeout",
        "unknown",
    }


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        # our own
        (FrameworkTimeoutError("slow"), (*TIMEOUT, "framework_timeout")),
        (RateLimitedError("slow down"), RATE_LIMIT),
        (ProviderTimeoutError("no answer"), (*TIMEOUT, "api_timeout")),
        (ConnectionFailedError("refused"), (*RETRY, "connection_error")),
        (ServerError("down"), (*RETRY, "server_error")),
        (ServerError("down", status_code=504), (*TIMEOUT, "server_timeout")),
        (MalformedAnswerError("cut JSON", status_code=200), (*RETRY, "server_error")),
        (OutputValidationError("does not fit", status_code=200), (*RETRY, "validation_error")),
        (OutputTruncatedError("cut", status_code=200), (*STOP, "client_error")),
        (RefusalError("no", status_code=200), (*STOP, "client_error")),
        (AnswerError("odd"), (*STOP, "client_error")),
        (AuthenticationError("who", status_code=401), (*STOP, "client_error")),
        (InvalidRequestError("no model", status_code=404), (*STOP, "client_error")),
        (ConfigurationError("no"), (*STOP, "client_error")),
        (
            BudgetExceededError("no", max_usd=1, needed_usd=1, spent_usd=1, held_usd=0),
            (*STOP, "client_error"),
        ),
        (MissingKeyError("no key"), (*STOP, "client_error")),
        (MissingExtraError("the local model", "local"), (*STOP, "client_error")),
        (ProviderError("429", status_code=429), RATE_LIMIT),
        (ProviderError("teapot", status_code=418), (*STOP, "client_error")),
        # Python's
        (TimeoutError(), (*TIMEOUT, "timeout")),
        (ConnectionError("gone"), (*RETRY, "connection_error")),
        (ConnectionResetError(), (*RETRY, "connection_error")),
        (BrokenPipeError(), (*RETRY, "connection_error")),
        (json.JSONDecodeError("Expecting value", "", 0), (*RETRY, "validation_error")),
        (ValueError("bad"), (*STOP, "logic_error")),
        (TypeError("bad"), (*STOP, "logic_error")),
        (KeyError("bad"), (*STOP, "logic_error")),
        (AttributeError("bad"), (*STOP, "logic_error")),
        (RuntimeError("who knows"), (*RETRY, "unknown")),
        (Exception(), (*RETRY, "unknown")),
        # libraries', by name
        (named("RateLimitError"), RATE_LIMIT),
        (named("TooManyRequests"), RATE_LIMIT),
        (named("ResourceExhausted"), RATE_LIMIT),
        (named("APITimeoutError"), (*TIMEOUT, "api_timeout")),
        (named("ReadTimeout"), (*TIMEOUT, "api_timeout")),
        (named("ConnectTimeout"), (*TIMEOUT, "api_timeout")),
        (named("APIConnectionError"), (*RETRY, "connection_error")),
        (
            named("ConnectError", base=type("TransportError", (Exception,), {})),
            (*RETRY, "connection_error"),
        ),
        (named("ValidationError", base=ValueError), (*RETRY, "validation_error")),
        (named("UnexpectedModelBehavior"), (*RETRY, "validation_error")),
        # libraries', by status
        (named("APIStatusError", status_code=429), RATE_LIMIT),
        (named("APIStatusError", status_code=500), (*RETRY, "server_error")),
        (named("APIStatusError", status_code=503), (*RETRY, "server_error")),
        (named("APIStatusError", status_code=529), (*RETRY, "server_error")),
        (named("APIStatusError", status_code=408), (*TIMEOUT, "server_timeout")),
        (named("APIStatusError", status_code=504), (*TIMEOUT, "server_timeout")),
        (named("APIStatusError", status_code=400), (*STOP, "client_error")),
        (named("APIStatusError", status_code=401), (*STOP, "client_error")),
        (named("APIStatusError", status_code=422), (*STOP, "client_error")),
        (named("ClientError", code=429), RATE_LIMIT),
        (named("ClientResponseError", status=502), (*RETRY, "server_error")),
        (named("HTTPStatusError", response=SimpleNamespace(status_code=429)), RATE_LIMIT),
        # libraries', by code
        (named("ClientError", code="RESOURCE_EXHAUSTED"), RATE_LIMIT),
        (named("ClientError", status="RESOURCE_EXHAUSTED"), RATE_LIMIT),
        (named("APIError", code="rate_limit_exceeded"), RATE_LIMIT),
        (
            named("RateLimitError", code="insufficient_quota", status_code=429),
            (*STOP, "client_error"),
        ),
    ],
    ids=lambda value: f"{type(value).__name__}" if isinstance(value, Exception) else "",
)
def test_what_each_failure_means(error: Exception, meaning: tuple[bool, bool, bool, str]) -> None:
    assert in_short(classify(error)) == meaning


@pytest.mark.parametrize(
    "message",
    [
        "Error code: 429",
        "HTTP 429 Too Many Requests",
        "status=429",
        "[429] slow down",
        "RESOURCE_EXHAUSTED",
        "resource exhausted",
        "You exceeded your current quota, please check your plan",
        "Rate limit reached for requests",
        "rate_limit_exceeded",
        "rate-limit",
        "rate limited",
        "Too Many Requests",
        "too many requests, slow down",
    ],
)
@pytest.mark.parametrize("kind", [Exception, RuntimeError, ValueError])
def test_whole_words_of_a_rate_limit_are_known(message: str, kind: type[Exception]) -> None:
    assert in_short(classify(kind(message))) == RATE_LIMIT


@pytest.mark.parametrize(
    "message",
    [
        "line 4290",
        "error on line 14295 of the file",
        "request 0x429ab failed",
        "id abc429def",
        "4290 tokens",
        "quotation marks are missing",
        "unquotable",
        "corporate limits apply",
        "accelerate limiting factors",
        "1429",
        "there were too many requesters",
    ],
)
def test_parts_of_other_words_are_not(message: str) -> None:
    assert not classify(RuntimeError(message)).is_rate_limit


@pytest.mark.parametrize(
    "error", [KeyError("quota"), TypeError("429"), AttributeError("rate_limit")]
)
def test_a_bug_is_a_bug_whatever_its_message_says(error: Exception) -> None:
    assert in_short(classify(error)) == (*STOP, "logic_error")


# -- how long to wait


def waits(error: Exception) -> float | None:
    return classify(error).suggested_wait


def test_a_wait_that_the_provider_asks_for_is_told() -> None:
    assert waits(RateLimitedError("429", retry_after=2.5)) == 2.5
    assert waits(ServerError("503", status_code=503, retry_after=30)) == 30
    assert (
        waits(named("RateLimitError", response=SimpleNamespace(headers={"Retry-After": "7"}))) == 7
    )
    assert waits(RateLimitedError("429")) is None


def test_what_is_not_tried_again_has_no_wait() -> None:
    assert waits(AuthenticationError("401", status_code=401, retry_after=5.0)) is None


@pytest.mark.parametrize("status", [200, 204, 301, 302, 399])
def test_a_status_that_is_no_failure_means_nothing(status: int) -> None:
    assert info_of_status(status) is None
    assert classify(named("Odd", status_code=status)).error_category == "unknown"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (named("E", status_code=503), 503),
        (named("E", code=429), 429),
        (named("E", status=404), 404),
        (named("E", response=SimpleNamespace(status_code=502)), 502),
        (named("E", response=SimpleNamespace(status=502)), 502),
        (named("E", status_code="503"), None),
        (named("E", code=7), None),
        (named("E", code=1000), None),
        (named("E", code="RESOURCE_EXHAUSTED"), None),
        (named("E"), None),
    ],
)
def test_a_status_is_read_wherever_a_library_keeps_it(error: Exception, status: int | None) -> None:
    assert status_of(error) == status


def test_a_timeout_says_which_item_and_how_long() -> None:
    bare = FrameworkTimeoutError("slow")
    assert (str(bare), bare.item_id, bare.elapsed, bare.timeout_limit) == ("slow", None, None, None)
    full = FrameworkTimeoutError("slow", item_id="a", elapsed=1.5, timeout_limit=1.0)
    assert (full.item_id, full.elapsed, full.timeout_limit) == ("a", 1.5, 1.0)
    assert isinstance(full, TimeoutError)
    assert isinstance(full, BatchLLMError)
    with pytest.raises(TypeError):
        FrameworkTimeoutError("slow", "a")  # type: ignore[misc]


def test_an_info_is_made_of_five_facts() -> None:
    info = ErrorInfo(True, False, False, "mine")
    assert info.suggested_wait is None
    assert ErrorInfo(True, True, False, "rate_limit", 5.0).suggested_wait == 5.0
    named_info = ErrorInfo(
        is_retryable=True,
        is_rate_limit=False,
        is_timeout=False,
        error_category="mine",
        suggested_wait=None,
    )
    assert named_info == info


def test_what_one_failure_means_is_not_changed_by_another() -> None:
    classify(RateLimitedError("429", retry_after=5.0)).suggested_wait = 99.0
    classify(RateLimitedError("429")).error_category = "changed"
    assert in_short(classify(RateLimitedError("429"))) == RATE_LIMIT
    assert waits(RateLimitedError("429")) is None


def test_a_classifier_has_one_method_to_write() -> None:
    assert ErrorClassifier.__abstractmethods__ == {"classify"}
    assert issubclass(DefaultErrorClassifier, ErrorClassifier)


def test_input_errors_are_the_callers() -> None:
    assert in_short(classify(InputError("row 3"))) == (*STOP, "logic_error")
