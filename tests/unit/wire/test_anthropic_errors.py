from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import (
    AuthenticationError,
    InvalidRequestError,
    MalformedAnswerError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from batch_llm.strategies import DefaultErrorClassifier
from batch_llm.wire.anthropic_errors import error_from_report, error_from_response

KNOWN: list[tuple[int, str, type[ProviderError], str, bool]] = [
    (400, "invalid_request_error", InvalidRequestError, "client_error", False),
    (401, "authentication_error", AuthenticationError, "client_error", False),
    (402, "billing_error", ProviderError, "client_error", False),
    (403, "permission_error", AuthenticationError, "client_error", False),
    (404, "not_found_error", InvalidRequestError, "client_error", False),
    (409, "conflict_error", ProviderError, "server_error", True),
    (413, "request_too_large", InvalidRequestError, "client_error", False),
    (429, "rate_limit_error", RateLimitedError, "rate_limit", True),
    (500, "api_error", ServerError, "server_error", True),
    (504, "timeout_error", ProviderTimeoutError, "server_timeout", True),
    (529, "overloaded_error", ServerError, "server_error", True),
]


def body_of(message: str = "Something failed.", kind: str = "api_error", **fields: Any) -> bytes:
    error = {"type": kind, "message": message, **fields}
    return json.dumps({"type": "error", "error": error, "request_id": "req_7"}).encode()


@pytest.mark.parametrize(("status", "type_", "kind", "category", "retryable"), KNOWN)
def test_the_status_decides_the_kind(
    status: int, type_: str, kind: type[ProviderError], category: str, retryable: bool
) -> None:
    error = error_from_response(status, {}, body_of(kind=type_))
    assert type(error) is kind
    assert (error.status_code, error.code, error.request_id) == (status, type_, "req_7")
    assert str(error).startswith(f"The provider answered {status}")
    assert str(error).endswith("Something failed.")
    info = DefaultErrorClassifier().classify(error)
    assert (info.error_category, info.is_retryable) == (category, retryable)


@pytest.mark.parametrize(("status", "type_", "kind", "category", "retryable"), KNOWN)
def test_without_a_status_the_type_decides_the_same(
    status: int, type_: str, kind: type[ProviderError], category: str, retryable: bool
) -> None:
    error = error_from_report(body_of(kind=type_))
    assert type(error) is kind
    assert (error.status_code, error.code, error.request_id) == (status, type_, "req_7")
    info = DefaultErrorClassifier().classify(error)
    assert (info.error_category, info.is_retryable) == (category, retryable)


def test_a_report_of_an_unknown_type_is_malformed() -> None:
    error = error_from_report(
        body_of("The 'private words' failed.", "new_error"), private=["private words"]
    )
    assert isinstance(error, MalformedAnswerError)
    assert str(error) == "The answer reports an error: The '…' failed."
    assert (error.status_code, error.code) == (None, "new_error")


@pytest.mark.parametrize("status", [429, 529])
@pytest.mark.parametrize(("value", "seconds"), [("7", 7.0), ("soon", None), (None, None)])
def test_retry_after(status: int, value: str | None, seconds: float | None) -> None:
    headers = {} if value is None else {"Retry-After": value}
    assert error_from_response(status, headers, body_of()).retry_after == seconds


def test_the_header_names_the_request_where_the_body_does_not() -> None:
    error = error_from_response(502, {"Request-Id": "req_8"}, b"<html>Bad Gateway</html>")
    assert isinstance(error, ServerError)
    assert (error.request_id, error.code) == ("req_8", None)
    assert str(error) == "The provider answered 502 Bad Gateway."


def test_an_account_without_credit_is_not_the_requests_fault() -> None:
    message = "Your credit balance is too low to access the Anthropic API. Please go to Plans."
    error = error_from_response(400, {}, body_of(message, "invalid_request_error"))
    assert type(error) is ProviderError
    assert error.code == "billing_error"
    assert not DefaultErrorClassifier().classify(error).is_retryable


def test_a_prompt_that_is_too_long_is() -> None:
    message = "prompt is too long: 210000 tokens > 200000 maximum"
    error = error_from_response(400, {}, body_of(message, "invalid_request_error"))
    assert type(error) is InvalidRequestError
    assert str(error).endswith(message)


@pytest.mark.parametrize("code", ["enforced_spend_limit_reached", "contract_spend_limit_reached"])
def test_a_spent_limit_is_no_rate_limit(code: str) -> None:
    body = body_of(kind="rate_limit_error", details={"error_code": code})
    error = error_from_response(429, {}, body)
    assert type(error) is ProviderError
    assert error.code == code
    info = DefaultErrorClassifier().classify(error)
    assert (info.is_retryable, info.is_rate_limit) == (False, False)


def test_a_ramp_limit_is_a_rate_limit() -> None:
    body = body_of(kind="rate_limit_error", details={"error_code": "ramp_limit_exceeded"})
    error = error_from_response(429, {"retry-after": "3"}, body)
    assert isinstance(error, RateLimitedError)
    assert (error.code, error.retry_after) == ("ramp_limit_exceeded", 3.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"error": null}',
        b'{"error": {"details": "x"}}',
        b'{"error": {"details": {"error_code": 5}}, "request_id": 5}',
        b"[" * 100_000,
    ],
)
def test_any_other_body_has_no_code(body: bytes) -> None:
    error = error_from_response(500, {}, body)
    assert (type(error), error.code, error.request_id) == (ServerError, None, None)


def test_the_message_quotes_nothing_private() -> None:
    error = error_from_response(
        400, {}, body_of("Bad input 'a prompt of somebody'"), private=["a prompt of somebody"]
    )
    assert str(error) == "The provider answered 400 Bad Request: Bad input '…'"


@given(st.integers(300, 599), st.binary(max_size=200))
def test_any_bytes_give_an_error(status: int, body: bytes) -> None:
    assert error_from_response(status, {}, body).status_code == status
    assert isinstance(error_from_report(body), ProviderError)


def test_the_sdk_reads_the_same_out_of_it() -> None:
    anthropic = pytest.importorskip("anthropic")
    httpx2 = pytest.importorskip("httpx2")
    for status, kind, code in [
        (429, "rate_limit_error", "ramp_limit_exceeded"),
        (413, "request_too_large", None),
        (529, "overloaded_error", None),
    ]:
        details: dict[str, Any] = {} if code is None else {"details": {"error_code": code}}
        body = body_of(kind=kind, **details)
        reply = httpx2.Response(status, content=body, headers={"request-id": "req_7"})
        transport = httpx2.MockTransport(lambda _, reply=reply: reply)
        with (
            anthropic.Anthropic(
                api_key="k", max_retries=0, http_client=httpx2.Client(transport=transport)
            ) as client,
            pytest.raises(anthropic.APIStatusError) as raised,
        ):
            client.messages.create(
                model="m", max_tokens=1, messages=[{"role": "user", "content": "x"}]
            )
        theirs = raised.value
        ours = error_from_response(status, dict(reply.headers), body)
        assert ours.status_code == theirs.status_code
        assert ours.code == (theirs.error_code or theirs.type)
        assert ours.request_id == theirs.request_id
