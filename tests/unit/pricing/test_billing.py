"""What a failed call means for money."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    OutputTruncatedError,
    OutputValidationError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.pricing import billing_of
from batch_llm.strategies.errors import FrameworkTimeoutError

USAGE = {"input_tokens": 10, "output_tokens": 2, "total_tokens": 12}


@pytest.mark.parametrize(
    "error",
    [
        InvalidRequestError("no", status_code=400),
        AuthenticationError("no", status_code=401),
        RateLimitedError("no", status_code=429),
        RateLimitedError("no"),
        ServerError("no", status_code=500),
        ServerError("no", status_code=503),
        ServerError("no", status_code=529),
        ProviderError("no", status_code=429, code="insufficient_quota"),
        RefusalError("the prompt was filtered", status_code=400),
        ConnectionFailedError("refused", was_sent=False),
        ConfigurationError("no"),
        InputError("no"),
        ConnectionRefusedError(),
    ],
    ids=repr,
)
def test_what_was_refused_or_never_sent_is_free(error: Exception) -> None:
    assert billing_of(error, None) == "free"
    assert billing_of(error, {"input_tokens": 0, "output_tokens": 0}) == "free"


@pytest.mark.parametrize(
    "error",
    [
        MalformedAnswerError("no choice"),
        OutputValidationError("no"),
        OutputTruncatedError("no"),
        RefusalError("no"),
        ServerError("an error in an answer", status_code=500),
        ValueError("a parser's"),
    ],
    ids=repr,
)
def test_an_answer_with_a_bill_is_billed(error: Exception) -> None:
    assert billing_of(error, USAGE) == "billed"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionFailedError("reset"),
        ConnectionResetError(),
        ProviderTimeoutError("late"),
        ProviderTimeoutError("late", status_code=408),
        FrameworkTimeoutError("late"),
        TimeoutError(),
        asyncio.CancelledError(),
        KeyboardInterrupt(),
    ],
    ids=repr,
)
def test_of_a_call_that_was_cut_nobody_knows_whatever_it_tells(error: BaseException) -> None:
    assert billing_of(error, None) == "unknown"
    assert billing_of(error, USAGE) == "unknown", "the tokens are those of the part that came"


@pytest.mark.parametrize("status", [499, 502, 504, 520, 522, 524])
def test_a_gateways_own_status_may_hide_an_answer(status: int) -> None:
    assert billing_of(ServerError("no", status_code=status), None) == "unknown"


@pytest.mark.parametrize(
    "error",
    [
        MalformedAnswerError("no JSON"),
        OutputValidationError("no"),
        ServerError("stopped with an error"),
        ProviderError("something"),
        RuntimeError("something"),
        TypeError("a parser's"),
    ],
    ids=repr,
)
def test_an_answer_without_a_bill_is_unknown(error: Exception) -> None:
    assert billing_of(error, None) == "unknown"
    assert billing_of(error, {}) == "unknown"


@pytest.mark.parametrize("usage", [None, USAGE])
def test_a_failure_inside_an_answer_is_unknown_unless_it_has_the_whole_bill(usage: Any) -> None:
    error = ServerError("overloaded, with status 200", status_code=529)
    error.is_bill_final = False
    assert billing_of(error, usage) == "unknown"


def test_a_failure_is_judged_by_what_it_comes_from() -> None:
    lost_cache = ServerError("the cache is gone")
    lost_cache.__cause__ = ProviderError("not found", status_code=403)
    assert billing_of(lost_cache) == "free"
    lost_cache.__cause__ = ProviderError("bad gateway", status_code=502)
    assert billing_of(lost_cache) == "unknown"


def _openai(name: str) -> Exception:
    import httpx2
    import openai

    request = httpx2.Request("POST", "https://api.openai.com/v1/chat/completions")
    if name == "refused":
        error = openai.APIConnectionError(request=request)
        error.__cause__ = httpx2.ConnectError("refused", request=request)
        return error
    if name == "reset":
        error = openai.APIConnectionError(request=request)
        error.__cause__ = httpx2.ReadError("reset", request=request)
        return error
    if name == "timeout":
        return openai.APITimeoutError(request)
    response = httpx2.Response(int(name), request=request)
    return openai.APIStatusError("no", response=response, body=None)


def _anthropic(name: str) -> Exception:
    import anthropic
    import httpx2

    request = httpx2.Request("POST", "https://api.anthropic.com/v1/messages")
    response = httpx2.Response(int(name), request=request)
    return anthropic.APIStatusError("no", response=response, body=None)


def _gemini(name: str) -> Exception:
    from google.genai import errors

    return errors.APIError(int(name), {"error": {"code": int(name), "message": "no"}})


def _httpx2(name: str) -> Exception:
    import httpx2

    kinds: dict[str, Any] = {
        "refused": httpx2.ConnectError,
        "connect timeout": httpx2.ConnectTimeout,
        "reset": httpx2.ReadError,
        "timeout": httpx2.ReadTimeout,
    }
    return kinds[name]("no")


def _aiohttp(name: str) -> Exception:
    import aiohttp
    from aiohttp.client_reqrep import ConnectionKey

    key = ConnectionKey("h", 1, False, True, None, None, None)
    kinds: dict[str, Any] = {
        "refused": lambda: aiohttp.ClientConnectorError(key, OSError(111, "refused")),
        "reset": lambda: aiohttp.ClientOSError(104, "reset"),
        "dropped": aiohttp.ServerDisconnectedError,
        "429": lambda: aiohttp.ClientResponseError(None, (), status=429),  # type: ignore[arg-type]
    }
    return kinds[name]()


@pytest.mark.parametrize(
    ("make", "name", "meaning"),
    [
        (_openai, "refused", "free"),
        (_openai, "reset", "unknown"),
        (_openai, "timeout", "unknown"),
        (_openai, "200", "unknown"),
        (_openai, "400", "free"),
        (_openai, "429", "free"),
        (_openai, "500", "free"),
        (_openai, "504", "unknown"),
        (_anthropic, "200", "unknown"),
        (_anthropic, "529", "free"),
        (_gemini, "429", "free"),
        (_gemini, "503", "free"),
        (_gemini, "504", "unknown"),
        (_httpx2, "refused", "free"),
        (_httpx2, "connect timeout", "free"),
        (_httpx2, "reset", "unknown"),
        (_httpx2, "timeout", "unknown"),
        (_aiohttp, "refused", "free"),
        (_aiohttp, "reset", "unknown"),
        (_aiohttp, "dropped", "unknown"),
        (_aiohttp, "429", "free"),
    ],
)
def test_errors_of_sdks_and_http_clients(make: Any, name: str, meaning: str) -> None:
    assert billing_of(make(name)) == meaning


def test_an_unrelated_error_that_came_before_says_nothing() -> None:
    error = RuntimeError("of another request")
    error.__context__ = ConnectionRefusedError()
    assert billing_of(error) == "unknown"


def test_causes_that_form_a_ring_come_to_an_end() -> None:
    first, second = RuntimeError("a"), RuntimeError("b")
    first.__cause__, second.__cause__ = second, first
    assert billing_of(first) == "unknown"
