"""A refused call to an OpenAI-compatible API, as an error of this package."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exceptions import (
    InvalidRequestError,
    MalformedAnswerError,
    ProviderError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
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

_BY_CODE: dict[str, type[ProviderError]] = {
    # Spent for good: these come with a 429, and waiting does not help.
    "insufficient_quota": ProviderError,
    "billing_hard_limit_reached": ProviderError,
    "content_filter": RefusalError,
    "content_policy_violation": RefusalError,
}

# In bodies of status 200: of a response that failed, of a line of a batch.
_BY_REPORTED_CODE: dict[str, type[ProviderError]] = {
    "batch_cancelled": ProviderError,
    "batch_expired": ProviderError,
    "invalid_prompt": InvalidRequestError,
    "invalid_request_error": InvalidRequestError,
    "rate_limit_exceeded": RateLimitedError,
    "server_error": ServerError,
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
    message, code = error_details(json_or_none(body))
    lowered = {name.lower(): value for name, value in headers.items()}
    kind = _BY_CODE.get(code or "") or kind_of_status(status)
    return kind(
        describe_status(status, short_message(message, private)),
        status_code=status,
        code=code,
        retry_after=retry_after_seconds(lowered),
        request_id=lowered.get("x-request-id"),
    )


def error_from_code(code: str | None, message: str) -> ProviderError:
    """Return the error that is told by its code alone, in a body whose status says nothing.

    Args:
        code: OpenAI's own word, such as "server_error" or "rate_limit_exceeded", or None.
        message: of the error; it must be free of private texts.
    """
    kind = _BY_CODE.get(code or "") or _BY_REPORTED_CODE.get(code or "", MalformedAnswerError)
    return kind(message, code=code)
