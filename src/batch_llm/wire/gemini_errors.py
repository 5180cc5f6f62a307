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
