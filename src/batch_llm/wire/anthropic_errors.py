"""An error of Anthropic's API, as an error of this package.

Its `code` is the API's `error.details.error_code`, which names the cause, where there is one, and
else its `error.type`. An account without credit is refused like a bad request, and is known by its
message alone: it gets the `code` that the API has for other faults of the account, "billing_error".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..exceptions import MalformedAnswerError, ProviderError
from ..strategies.retry_after import retry_after_seconds
from .http_errors import (
    describe_status,
    error_details,
    json_or_none,
    kind_of_status,
    short_message,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NO_CREDIT = "billing_error"
"""Code of an error that says that the account cannot pay: no wait brings its credit back."""

_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
# Spent for good, though some of these come with a 429.
_SPENT = frozenset(
    {
        NO_CREDIT,
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
    }
)
_CREDIT_IS_LOW = re.compile(r"credit balance is too low", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Report:
    """What the body of an error says.

    Attributes:
        message: the API's own words, or "".
        type: the broad category, such as "rate_limit_error", or None.
        code: what names the cause best, or None.
        request_id: the API's id of the request, or None.
    """

    message: str
    type: str | None
    code: str | None
    request_id: str | None


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
        status and the start of the API's own message.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    error = _error(status, _read(body), private)
    error.retry_after = retry_after_seconds(lowered)
    error.request_id = lowered.get("request-id") or error.request_id
    return error


def error_from_report(body: bytes, *, private: Iterable[str] = ()) -> ProviderError:
    """Return the error that a body reports which came without a status that says so.

    Such are the failed lines of a batch's results, and a 200 of a gateway that has failed.

    Args:
        body: `{"type": "error", "error": {"type", "message"}, "request_id"}`.
        private: as for `error_from_response`.
    """
    report = _read(body)
    status = _STATUS_OF_TYPE.get(report.type or "")
    if status is not None:
        return _error(status, report, private)
    said = short_message(report.message, private) or "without a message"
    return MalformedAnswerError(
        f"The answer reports an error: {said}", code=report.code, request_id=report.request_id
    )


def _error(status: int, report: _Report, private: Iterable[str]) -> ProviderError:
    kind = ProviderError if report.code in _SPENT else kind_of_status(status)
    return kind(
        describe_status(status, short_message(report.message, private)),
        status_code=status,
        code=report.code,
        request_id=report.request_id,
    )


def _read(body: bytes) -> _Report:
    document = json_or_none(body)
    message, kind = error_details(document)
    code = NO_CREDIT if _CREDIT_IS_LOW.search(message) else _stable_code(document) or kind
    request_id = document.get("request_id") if isinstance(document, dict) else None
    return _Report(message, kind, code, request_id if isinstance(request_id, str) else None)


def _stable_code(document: Any) -> str | None:
    node = document
    for name in ("error", "details", "error_code"):
        node = node.get(name) if isinstance(node, dict) else None
    return node if isinstance(node, str) else None
