"""What an HTTP answer outside 2xx says, in the forms that providers of models have in common."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..exceptions import (
    AuthenticationError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from .json_reading import UNREADABLE, read_json
from .redaction import without_private

if TYPE_CHECKING:
    from collections.abc import Iterable

MESSAGE_MAX_LENGTH = 160
"""Characters of a provider's own message that are kept."""

_ANY: Final[msgspec.json.Decoder[Any]] = msgspec.json.Decoder()
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


def kind_of_status(status: int) -> type[ProviderError]:
    """Return the type of the error that an HTTP status outside 2xx stands for."""
    if status >= 500:
        return _BY_STATUS.get(status, ServerError)
    # A redirect is not followed: it would carry the key to a place nobody named.
    return _BY_STATUS.get(status, InvalidRequestError)


def describe_status(status: int, message: str) -> str:
    """Return the status in words, and after it the provider's own message, where there is one."""
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""  # a status of the provider's own, such as 529
    return f"The provider answered {status}{phrase}{': ' if message else '.'}{message}"


def json_or_none(body: bytes) -> Any:
    """Return the JSON in `body`; None where it is none, such as a gateway's page."""
    try:
        return read_json(_ANY, body)
    except UNREADABLE:
        return None


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
