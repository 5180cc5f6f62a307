from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import (
    AuthenticationError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from batch_llm.strategies import DefaultErrorClassifier
from batch_llm.wire.http_errors import MESSAGE_MAX_LENGTH
from batch_llm.wire.openai_errors import error_from_response


def body_of(message: str = "Something failed.", **fields: Any) -> bytes:
    return json.dumps({"error": {"message": message, **fields}}).encode()


@pytest.mark.parametrize(
    ("status", "kind", "category", "retryable"),
    [
        (307, InvalidRequestError, "client_error", False),
        (400, InvalidRequestError, "client_error", False),
        (401, AuthenticationError, "client_error", False),
        (402, ProviderError, "client_error", False),
        (403, AuthenticationError, "client_error", False),
        (404, InvalidRequestError, "client_error", False),
        (405, InvalidRequestError, "client_error", False),
        (408, ProviderTimeoutError, "server_timeout", True),
        (409, ProviderError, "server_error", True),
        (413, InvalidRequestError, "client_error", False),
        (422, InvalidRequestError, "client_error", False),
        (425, ProviderError, "server_error", True),
        (429, RateLimitedError, "rate_limit", True),
        (500, ServerError, "server_error", True),
        (502, ServerError, "server_error", True),
        (503, ServerError, "server_error", True),
        (504, ProviderTimeoutError, "server_timeout", True),
        (529, ServerError, "server_error", True),
        (599, ServerError, "server_error", True),
    ],
)
def test_the_status_decides_the_type(
    status: int, kind: type[ProviderError], category: str, retryable: bool
) -> None:
    error = error_from_response(status, {"X-Request-Id": "r7"}, body_of())
    assert type(error) is kind
    assert (error.status_code, error.request_id) == (status, "r7")
    assert str(status) in str(error)
    assert "Something failed." in str(error)
    info = DefaultErrorClassifier().classify(error)
    assert (info.error_category, info.is_retryable) == (category, retryable)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"RETRY-AFTER": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_retry_after(status: int, headers: dict[str, str], seconds: float | None) -> None:
    error = error_from_response(status, headers, body_of())
    assert error.retry_after == seconds
    assert DefaultErrorClassifier().classify(error).suggested_wait == seconds


@pytest.mark.parametrize(
    "fields",
    [
        {"code": "insufficient_quota", "type": "insufficient_quota"},
        {"code": None, "type": "insufficient_quota"},
        {"code": "billing_hard_limit_reached"},
    ],
)
def test_a_spent_quota_is_no_rate_limit(fields: dict[str, Any]) -> None:
    error = error_from_response(429, {"Retry-After": "1"}, body_of(**fields))
    assert not isinstance(error, RateLimitedError)
    info = DefaultErrorClassifier().classify(error)
    assert (info.is_retryable, info.is_rate_limit) == (False, False)
    assert info.error_category == "client_error"


def test_a_filtered_prompt_is_a_refusal() -> None:
    error = error_from_response(400, {}, body_of(code="content_filter"))
    assert isinstance(error, RefusalError)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error": {"message": "m", "type": "t", "code": "c"}}', "m", "c"),
        (b'{"error": {"message": "m", "type": "t", "code": null}}', "m", "t"),
        (b'{"error": {"message": "m", "code": 503, "status": "UNAVAILABLE"}}', "m", "UNAVAILABLE"),
        (b'[{"error": {"message": "m", "status": "UNAVAILABLE"}}]', "m", "UNAVAILABLE"),
        (b'{"error": "m"}', "m", None),
        (b'{"object": "error", "message": "m", "type": "BadRequestError"}', "m", "BadRequestError"),
        (b'{"detail": "m"}', "m", None),
        (b'{"detail": [{"input": "a whole prompt", "msg": "Field required"}]}', "", None),
        (b"<html>Bad Gateway</html>", "", None),
        (b"[]", "", None),
        (b"", "", None),
        (b"\xff\xfe", "", None),
        (b"[" * 100_000, "", None),
    ],
)
def test_every_shape_of_body(body: bytes, message: str, code: str | None) -> None:
    error = error_from_response(500, {}, body)
    assert error.code == code
    expected = "The provider answered 500 Internal Server Error"
    assert str(error) == (f"{expected}: {message}" if message else f"{expected}.")


def test_the_message_is_short_and_on_one_line() -> None:
    error = error_from_response(400, {}, body_of("line\n" * 1000))
    assert len(str(error)) < MESSAGE_MAX_LENGTH + 60
    assert "\n" not in str(error)


def test_the_message_quotes_nothing_private() -> None:
    prompt = "a prompt that is nobody's business " * 10
    error = error_from_response(400, {}, body_of(f"Bad input '{prompt}'"), private=[prompt])
    assert str(error) == "The provider answered 400 Bad Request: Bad input '…'"


@given(st.integers(0, 2 * MESSAGE_MAX_LENGTH))
def test_nothing_private_is_left_at_the_cut(at: int) -> None:
    key = "sk-0123456789-ABCDEFGHIJ"
    error = error_from_response(400, {}, body_of("." * at + key), private=[key])
    assert "sk-" not in str(error)


def test_a_huge_message_about_a_huge_prompt_is_cheap() -> None:
    """Only its start is compared: all of it would take hours."""
    prompt = "0123456789" * 100_000
    error = error_from_response(400, {}, body_of(f"Too long: {prompt}"), private=[prompt])
    assert str(error) == "The provider answered 400 Bad Request: Too long: …"


@given(st.integers(300, 599), st.binary(max_size=200))
def test_any_body_gives_an_error(status: int, body: bytes) -> None:
    assert error_from_response(status, {}, body).status_code == status


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "detail"]), inner)
    ),
    max_leaves=8,
)


@given(_JSON)
def test_any_json_gives_an_error(document: Any) -> None:
    error = error_from_response(500, {}, json.dumps(document).encode())
    assert isinstance(error, ProviderError)
    assert error.code is None or isinstance(error.code, str)
