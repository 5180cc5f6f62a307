"""A refused call to Gemini, as an error of this package.

Google tells several things apart only in the text or the details of an error. They get a `code`
of ours here, so that nobody above reads messages: `DAILY_QUOTA_EXHAUSTED`, `CACHE_GONE` and
`CACHE_TOO_SMALL`. Any other `code` is Google's own word, such as "RESOURCE_EXHAUSTED".
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..exceptions import (
    AuthenticationError,
    BatchLLMError,
    InvalidRequestError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from ..strategies.retry_after import retry_after_seconds, retry_delay_seconds
from .http_errors import json_or_none
from .redaction import without_private

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

DAILY_QUOTA_EXHAUSTED = "DAILY_QUOTA_EXHAUSTED"
"""Code of a 429 that names a quota of the day: no wait of seconds brings it back."""
CACHE_GONE = "CACHE_GONE"
"""Code of an error that says that a cache has expired, or was deleted."""
CACHE_TOO_SMALL = "CACHE_TOO_SMALL"
"""Code of an error that says that a content is too short to be cached."""

MESSAGE_MAX_LENGTH = 160
"""Characters of Google's own message that are kept."""

_BY_WORD: dict[str, type[ProviderError]] = {
    "RESOURCE_EXHAUSTED": RateLimitedError,
    "UNAUTHENTICATED": AuthenticationError,
    "PERMISSION_DENIED": AuthenticationError,
    "DEADLINE_EXCEEDED": ProviderTimeoutError,
    "UNAVAILABLE": ServerError,
    "INTERNAL": ServerError,
    "UNKNOWN": ServerError,
    "ABORTED": ServerError,
}
_BY_STATUS: dict[int, type[ProviderError]] = {
    401: AuthenticationError,
    403: AuthenticationError,
    408: ProviderTimeoutError,
    429: RateLimitedError,
    504: ProviderTimeoutError,
}
# Words of `google.rpc.Code`, each with the HTTP status that Google gives it.
_BY_GRPC_CODE: dict[int, tuple[str, int]] = {
    1: ("CANCELLED", 499),
    2: ("UNKNOWN", 500),
    3: ("INVALID_ARGUMENT", 400),
    4: ("DEADLINE_EXCEEDED", 504),
    5: ("NOT_FOUND", 404),
    6: ("ALREADY_EXISTS", 409),
    7: ("PERMISSION_DENIED", 403),
    8: ("RESOURCE_EXHAUSTED", 429),
    9: ("FAILED_PRECONDITION", 400),
    10: ("ABORTED", 409),
    11: ("OUT_OF_RANGE", 400),
    12: ("UNIMPLEMENTED", 501),
    13: ("INTERNAL", 500),
    14: ("UNAVAILABLE", 503),
    15: ("DATA_LOSS", 500),
    16: ("UNAUTHENTICATED", 401),
}
_A_CACHE = re.compile(r"\bcached? ?contents?\b", re.IGNORECASE)
_IS_GONE = re.compile(r"not found|expired|permission|not exist", re.IGNORECASE)
_IS_TOO_SMALL = re.compile(r"too small|min(imum)?[ _](total_)?token[ _]count", re.IGNORECASE)
_PER_DAY = re.compile(r"per_?day", re.IGNORECASE)
_RETRY_IN = re.compile(r"\bretry in (\d+(?:\.\d+)?)s\b", re.IGNORECASE)
_KEY = re.compile(r"api_key:\S+|\bAIza[\w-]{20,}")


def error_from_exception(
    exception: BaseException, *, retry_after: float | None = None, private: Iterable[str] = ()
) -> ProviderError | None:
    """Return the error that an exception of a Google SDK stands for, or None if it is none.

    No SDK is imported: an exception with an HTTP status as its `code`, or a word of Google's as
    its `status`, is one. `message` and `details` are read where it has them.

    Args:
        exception: such as a `google.genai.errors.APIError`.
        retry_after: seconds that the exception asks to wait, where that is known.
        private: prompts and keys, of which the message must hold no part.

    Returns:
        An error whose type, `code` and `retry_after` say what to do, and whose message holds the
        status and the start of Google's own message.
    """
    word = _text(getattr(exception, "status", None))
    status = _http_status(getattr(exception, "code", None))
    if isinstance(exception, BatchLLMError) or (status is None and word not in _BY_WORD):
        return None
    details = getattr(exception, "details", None)
    message = _text(getattr(exception, "message", None)) or ""
    if quota := _daily_quota(details):
        return _quota_is_spent(status, quota)
    code = _code(status, message) or word
    said = _KEY.sub("…", without_private(_short(message), private))
    return _kind(status, word, code, details)(
        _describe(status, word, said),
        status_code=status,
        code=code,
        retry_after=_wait_in(message) if retry_after is None else retry_after,
    )


def error_from_response(
    status: int, headers: Mapping[str, str], body: bytes, *, private: Iterable[str] = ()
) -> ProviderError:
    """Return the error that an HTTP answer outside 2xx stands for.

    Args:
        status: HTTP status.
        headers: the answer's headers, in any case.
        body: the answer's body; need not be JSON.
        private: prompts and keys, of which the message must hold no part.
    """
    document = json_or_none(body)
    if isinstance(document, list) and document:
        document = document[0]
    error = document.get("error") if isinstance(document, Mapping) else None
    told: Mapping[str, object] = error if isinstance(error, Mapping) else {}
    lowered = {name.lower(): value for name, value in headers.items()}
    wait = retry_after_seconds(lowered)
    return _error(status, told, private, retry_delay_seconds(document) if wait is None else wait)


def error_from_report(
    report: Mapping[str, object], *, private: Iterable[str] = ()
) -> ProviderError:
    """Return the error that a line of a batch's results reports.

    Args:
        report: a `google.rpc.Status`, whose code is one of gRPC and not of HTTP.
        private: as for `error_from_response`.
    """
    code = report.get("code")
    grpc = _BY_GRPC_CODE.get(code) if isinstance(code, int) else None
    told = report if grpc is None else {"status": grpc[0], **report}
    status = grpc[1] if grpc is not None else _http_status(code)
    # Whoever reports an error without saying which has failed himself.
    return _error(500 if status is None else status, told, private, retry_delay_seconds(report))


def _error(
    status: int, told: Mapping[str, object], private: Iterable[str], wait: float | None
) -> ProviderError:
    reported = _ReportedError(status, told)
    found = error_from_exception(reported, retry_after=wait, private=private)
    # There is one for every HTTP status; an answer that has another one is none of HTTP.
    return found or ProviderError(f"Gemini answered {status}.", status_code=status)


class _ReportedError(Exception):
    """An error in JSON, in the form of the SDK's own."""

    def __init__(self, status: int, told: Mapping[str, object]) -> None:
        super().__init__()
        self.code = status
        self.status = told.get("status")
        self.message = told.get("message")
        self.details = told.get("details")


def _short(message: str) -> str:
    return textwrap.shorten(message, MESSAGE_MAX_LENGTH, placeholder="…")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _http_status(value: object) -> int | None:
    return value if isinstance(value, int) and 100 <= value <= 599 else None


def _code(status: int | None, message: str) -> str | None:
    if status == 400 and _A_CACHE.search(message) and _IS_TOO_SMALL.search(message):
        return CACHE_TOO_SMALL
    # 403 for a cache unknown to this key, 404 and 400 on Google Cloud.
    if status in (400, 403, 404) and _A_CACHE.search(message) and _IS_GONE.search(message):
        return CACHE_GONE
    return None


def _kind(
    status: int | None, word: str | None, code: str | None, details: object
) -> type[ProviderError]:
    if code in (CACHE_GONE, CACHE_TOO_SMALL):
        return InvalidRequestError
    if any(node.get("reason") == "API_KEY_INVALID" for node in _nodes(details)):
        return AuthenticationError  # Google answers a wrong key with 400 INVALID_ARGUMENT
    known = _BY_WORD.get(word or "") or _BY_STATUS.get(status or 0)
    if known is not None:
        return known
    return ServerError if (status or 0) >= 500 else InvalidRequestError


def _describe(status: int | None, word: str | None, message: str) -> str:
    what = " ".join(str(part) for part in (status, word) if part)
    return f"Gemini answered {what}: {message}" if message else f"Gemini answered {what}."


def _quota_is_spent(status: int | None, quota: str) -> RateLimitedError:
    return RateLimitedError(
        f"Gemini's quota for the day is used up ({quota}). It comes back at midnight, Pacific "
        f"time; waiting seconds does not help.",
        status_code=status,
        code=DAILY_QUOTA_EXHAUSTED,
    )


def _daily_quota(details: object) -> str | None:
    """Return the id of the first quota of a day that `details` says is exceeded, or None."""
    for node in _nodes(details):
        for field in ("quotaId", "quotaMetric"):
            quota = _text(node.get(field))
            if quota and _PER_DAY.search(quota):
                return quota
    return None


def _nodes(tree: object) -> Iterator[Mapping[str, object]]:
    """Yield every object in an error's body, which is nested as the SDK left it."""
    if isinstance(tree, Mapping):
        yield tree
        for value in tree.values():
            yield from _nodes(value)
    elif isinstance(tree, Sequence) and not isinstance(tree, (str, bytes)):
        for item in tree:
            yield from _nodes(item)


def _wait_in(message: str) -> float | None:
    found = _RETRY_IN.search(message)
    return float(found[1]) if found else None
