"""What a failure means, and how long to wait after it. Pure: nothing here sleeps or calls."""

from .backoff import backoff_seconds
from .errors import (
    DefaultErrorClassifier,
    ErrorCategory,
    ErrorClassifier,
    ErrorInfo,
    FrameworkTimeoutError,
)
from .rate_limit import ExponentialBackoffStrategy, FixedDelayStrategy, RateLimitStrategy
from .retry_after import retry_after_seconds, retry_delay_seconds, suggested_wait

__all__ = [
    "DefaultErrorClassifier",
    "ErrorCategory",
    "ErrorClassifier",
    "ErrorInfo",
    "ExponentialBackoffStrategy",
    "FixedDelayStrategy",
    "FrameworkTimeoutError",
    "RateLimitStrategy",
    "backoff_seconds",
    "retry_after_seconds",
    "retry_delay_seconds",
    "suggested_wait",
]
