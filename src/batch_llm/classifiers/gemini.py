"""What a failure of Gemini means."""

from __future__ import annotations

from ..strategies.errors import DefaultErrorClassifier, ErrorInfo
from ..strategies.retry_after import suggested_wait
from ..wire.gemini_errors import DAILY_QUOTA_EXHAUSTED, error_from_exception


class GeminiErrorClassifier(DefaultErrorClassifier):
    """Understands the errors of Google's SDKs, and all that `DefaultErrorClassifier` does.

    It imports no SDK: it reads `code`, `status`, `message`, `details` and the response's headers.
    A 429 is a rate limit that may be tried again, after the wait that `retryDelay` or a
    Retry-After header asks for.

    The exception is a 429 whose details name a quota of the day. It comes back at midnight,
    Pacific time, so the item fails at once, as "rate_limit", and stops no other: a model whose
    quota is left goes on. Run the items of that category again the next day.
    """

    def classify(self, exception: Exception) -> ErrorInfo:
        """Return what `exception` means."""
        own = error_from_exception(exception, retry_after=suggested_wait(exception)) or exception
        if getattr(own, "code", None) == DAILY_QUOTA_EXHAUSTED:
            return ErrorInfo(False, False, False, "rate_limit")
        return super().classify(own)
