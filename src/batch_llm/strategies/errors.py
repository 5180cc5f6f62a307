"""What a failure means: may it be tried again, is it a rate limit, how long to wait."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

from ..exceptions import (
    AnswerError,
    AuthenticationError,
    BatchLLMError,
    BudgetExceededError,
    ConfigurationError,
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    OutputValidationError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from .retry_after import suggested_wait

ErrorCategory = Literal[
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
    "budget_exceeded",
    "unknown",
]


class FrameworkTimeoutError(BatchLLMError, TimeoutError):
    """An attempt took longer than it may.

    Attributes:
        item_id: the item whose attempt it was.
        elapsed: seconds the attempt had taken.
        timeout_limit: seconds it may take (`ProcessorConfig.timeout_per_item`).
    """

    def __init__(
        self,
        message: str,
        *,
        item_id: str | None = None,
        elapsed: float | None = None,
        timeout_limit: float | None = None,
    ) -> None:
        super().__init__(message)
        self.item_id = item_id
        self.elapsed = elapsed
        self.timeout_limit = timeout_limit


@dataclass(slots=True)
class ErrorInfo:
    """What a failure means.

    Attributes:
        is_retryable: whether the same call may succeed later.
        is_rate_limit: whether the provider refused it for coming too soon.
        is_timeout: whether it took too long.
        error_category: one of `ErrorCategory`, or a word of your own.
        suggested_wait: seconds the provider asks to wait; None where it does not say.
    """

    is_retryable: bool
    is_rate_limit: bool
    is_timeout: bool
    error_category: str
    suggested_wait: float | None = None


class ErrorClassifier(ABC):
    """Says what an exception means. Give your own to a processor for a provider of your own."""

    @abstractmethod
    def classify(self, exception: Exception) -> ErrorInfo:
        """Return what `exception` means; must not raise."""


_RATE_LIMIT_TYPES = {
    "ModelRateLimitError",
    "RateLimitError",
    "RateLimitedError",
    "ResourceExhausted",
    "TooManyRequests",
}
_RATE_LIMIT_CODES = {"RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED", "RATE_LIMIT_ERROR"}
# Used up for good, not for now: waiting does not bring it back.
_SPENT_CODES = {
    "BILLING_ERROR",
    "BILLING_HARD_LIMIT_REACHED",
    "CONTRACT_SPEND_LIMIT_REACHED",
    "ENFORCED_SPEND_LIMIT_REACHED",
    "INSUFFICIENT_QUOTA",
}
# pydantic-ai's names for that, and for what would fail again the same way; they stand in classes
# that may come with a status, and below `UnexpectedModelBehavior`.
_REFUSED_TYPES = {
    "ContentFilterError",
    "ModelQuotaExceededError",
    "ModelRequestRejectedError",
    "OutputTokenLimitExceeded",
    "UserError",
}
_RATE_LIMIT_WORDS = re.compile(
    r"\b(429|resource[ _]exhausted|quota|too many requests"
    r"|rate[ _-]?limit(ed|s|ing|[ _]?exceeded|[ _]?error)?)\b",
    re.IGNORECASE,
)
_API_TIMEOUT_TYPES = {"APITimeoutError", "DeadlineExceeded", "ModelTimeoutError"}
_CONNECTION_TYPES = {
    "APIConnectionError",
    "ClientConnectionError",
    "ModelConnectionError",
    "TransportError",
    "NetworkError",
}
_VALIDATION_TYPES = {"ValidationError", "UnexpectedModelBehavior", "ToolRetryError", "DecodeError"}
# Bugs of the caller, whatever words their message holds: KeyError('quota') is no rate limit.
_BUG_TYPES = (TypeError, KeyError, AttributeError)

_RATE_LIMIT = ErrorInfo(True, True, False, "rate_limit")
_FRAMEWORK_TIMEOUT = ErrorInfo(True, False, True, "framework_timeout")
_TIMEOUT = ErrorInfo(True, False, True, "timeout")
_API_TIMEOUT = ErrorInfo(True, False, True, "api_timeout")
_CONNECTION = ErrorInfo(True, False, False, "connection_error")
_VALIDATION = ErrorInfo(True, False, False, "validation_error")
_LOGIC = ErrorInfo(False, False, False, "logic_error")
_CLIENT = ErrorInfo(False, False, False, "client_error")
_SERVER = ErrorInfo(True, False, False, "server_error")
_SERVER_TIMEOUT = ErrorInfo(True, False, True, "server_timeout")
_UNKNOWN = ErrorInfo(True, False, False, "unknown")

_OWN_ERRORS: tuple[tuple[type[Exception], ErrorInfo], ...] = (
    (FrameworkTimeoutError, _FRAMEWORK_TIMEOUT),
    (ProviderTimeoutError, _API_TIMEOUT),
    (ConnectionFailedError, _CONNECTION),
    (OutputValidationError, _VALIDATION),
    (MalformedAnswerError, _SERVER),
    (AnswerError, _CLIENT),
    (AuthenticationError, _CLIENT),
    (InvalidRequestError, _CLIENT),
    (ConfigurationError, _CLIENT),
    (BudgetExceededError, _CLIENT),
)


class DefaultErrorClassifier(ErrorClassifier):
    """Understands this package's errors, those of the common SDKs, and Python's own.

    It imports no SDK: it reads type names, `status_code`, `code`, `status`, headers, and at last
    whole words of the message.
    """

    def classify(self, exception: Exception) -> ErrorInfo:
        """Return what `exception` means."""
        info = self._lookup(exception)
        # A new one each time: what the caller does to it is of no one else's concern.
        return replace(
            info, suggested_wait=suggested_wait(exception) if info.is_retryable else None
        )

    def _lookup(self, exception: Exception) -> ErrorInfo:
        names = _type_names(exception)
        return (
            _from_provider(exception, names)
            or _from_own(exception)
            or _from_validation(exception, names)
            or (_LOGIC if isinstance(exception, _BUG_TYPES) else None)
            or (_RATE_LIMIT if _RATE_LIMIT_WORDS.search(str(exception)) else None)
            or _from_timeouts(exception, names)
            or (_LOGIC if isinstance(exception, ValueError) else None)
            or _UNKNOWN
        )


def status_of(exception: BaseException) -> int | None:
    """Return the HTTP status that an exception of any library carries, or None."""
    holders = (exception, getattr(exception, "response", None))
    for holder in holders:
        for name in ("status_code", "status", "code"):  # aiohttp warns of its `code`
            value = getattr(holder, name, None)
            if isinstance(value, int) and 100 <= value <= 599:
                return value
    return None


def failing_fast(exception: BaseException) -> str | None:
    """Return what no later call of the same strategy can mend: "authentication" or "balance".

    None for every other failure. A 403 is none: gateways answer with it for what one prompt says.
    """
    status = status_of(exception)
    if status == 402 or _codes(exception) & _SPENT_CODES:
        return "balance"
    if status == 401 or (isinstance(exception, AuthenticationError) and status != 403):
        return "authentication"
    return None


def info_of_status(status: int) -> ErrorInfo | None:
    """Return what an HTTP status means, or None for one that is no failure."""
    if status == 429:
        return _RATE_LIMIT
    if status in (408, 504):
        return _SERVER_TIMEOUT
    if status in (409, 425):
        return _SERVER
    if status >= 500:
        return _SERVER
    return _CLIENT if status >= 400 else None


def _type_names(exception: BaseException) -> set[str]:
    return {cls.__name__ for cls in type(exception).__mro__}


def _codes(exception: BaseException) -> set[str]:
    codes = [getattr(exception, name, None) for name in ("code", "status", "type")]
    return {code.upper() for code in codes if isinstance(code, str)}


def _from_provider(exception: Exception, names: set[str]) -> ErrorInfo | None:
    codes = _codes(exception)
    if codes & _SPENT_CODES or names & _REFUSED_TYPES:
        return _CLIENT
    if names & _RATE_LIMIT_TYPES or codes & _RATE_LIMIT_CODES:
        return _RATE_LIMIT
    if isinstance(exception, (AnswerError, FrameworkTimeoutError)):
        return None
    status = status_of(exception)
    return None if status is None else info_of_status(status)


def _from_own(exception: Exception) -> ErrorInfo | None:
    if isinstance(exception, RateLimitedError):
        return _RATE_LIMIT
    if isinstance(exception, ServerError):
        return _SERVER
    for kind, info in _OWN_ERRORS:
        if isinstance(exception, kind):
            return info
    return None


def _from_timeouts(exception: Exception, names: set[str]) -> ErrorInfo | None:
    if isinstance(exception, TimeoutError):
        return _TIMEOUT
    if names & _API_TIMEOUT_TYPES or any(name.endswith("Timeout") for name in names):
        return _API_TIMEOUT
    if isinstance(exception, ConnectionError) or names & _CONNECTION_TYPES:
        return _CONNECTION
    return None


def _from_validation(exception: Exception, names: set[str]) -> ErrorInfo | None:
    # A JSONDecodeError is a ValueError, yet the model's next answer may well parse.
    if isinstance(exception, json.JSONDecodeError) or names & _VALIDATION_TYPES:
        return _VALIDATION
    return None
