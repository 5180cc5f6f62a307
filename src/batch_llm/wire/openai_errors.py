"""A refused call to an OpenAI-compatible API, as an error of this package."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from ..exceptions import (
    AuthenticationError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from ..strategies.retry_after import retry_after_seconds
from .redaction import without_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MESSAGE_MAX_LENGTH = 160
"""Characters of a provider's own message that are kept."""

_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    402: ProviderError,
    403: AuthenticationError,
    408: ProviderTimeoutError,
    409: ProviderError,
    425: ProviderError,
    429: RateLimitedError,
    504: ProviderTimeoutError,
}
_BY_CODE: dict[str, type[ProviderError]] = {
    # Spent for good: these come with a 429, and waiting does not help.
    "insufficient_quota": ProviderError,
    "billing_hard_limit_reached": ProviderError,
    "content_filter": RefusalError,
    "content_policy_violation": RefusalError,
}


def error_from_response(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    *,
    private: Iterable[str] = (),
) -> ProviderError:
    """Return the error that an HTTP answer outside 2xx stands for.

    Args:
        status: HTTP status.
        headers: the answer's headers, in any case.
        body: the answer's body; need not be JSON.
        private: prompts and keys, of which the message must hold no part.

    Returns:
        An error whose type, `code` and `retry_after` say what to do, and whose message holds the
        status and the start of the provider's own message.
    """
    message, code = error_details(_json(body))
    lowered = {name.lower(): value for name, value in headers.items()}
    kind = _BY_CODE.get(code or "") or _kind_of_status(status)
    return kind(
        _describe(status, short_message(message, private)),
        status_code=status,
        code=code,
        retry_after=retry_after_seconds(lowered),
        request_id=lowered.get("x-request-id"),
    )


def error_details(document: Any) -> tuple[str, str | None]:
    """Return the message and the code of a decoded error body, in any of the shapes in use.

    Those are `{"error": {"message", "type", "code"}}`, the same in a list, `{"error": "text"}`,
    `{"message", "code"}` and `{"detail"}`.
    """
    if isinstance(document, list) and document:
        document = document[0]
    if not isinstance(document, dict):
        return "", None
    error = document.get("error") or document
    if not isinstance(error, dict):
        return error if isinstance(error, str) else "", None
    message = error.get("message") or error.get("detail") or ""
    # A numeric code only repeats the status.
    codes = (error.get(key) for key in ("code", "status", "type"))
    code = next((value for value in codes if value and isinstance(value, str)), None)
    return message if isinstance(message, str) else "", code


def short_message(message: str, private: Iterable[str] = ()) -> str:
    """Return `message` on one line, without private texts, cut at `MESSAGE_MAX_LENGTH`."""
    # More than is shown, so that a text across the cut is still known; not all, which may be long.
    start = " ".join(message[: 4 * MESSAGE_MAX_LENGTH].split())
    line = without_private(start, private)
    return line if len(line) <= MESSAGE_MAX_LENGTH else line[: MESSAGE_MAX_LENGTH - 1] + "…"


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _kind_of_status(status: int) -> type[ProviderError]:
    if status >= 500:
        return _BY_STATUS.get(status, ServerError)
    # A redirect is not followed: it would carry the key to a place nobody named.
    return _BY_STATUS.get(status, InvalidRequestError)


def _describe(status: int, message: str) -> str:
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""  # a status of the provider's own, such as 529
    return f"The provider answered {status}{phrase}{': ' if message else '.'}{message}"
