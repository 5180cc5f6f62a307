"""What a failure means, and how long to wait after it. Pure: nothing here sleeps or calls."""

from .backoff import backoff_seconds
from .errors import (
    DefaultErrorClassifier,
    ErrorCategory,
    ErrorClassifier,
    ErrorInfo,
    FrameworkTimeoutError,
)
from .quota_reading import Allowance, QuotaReading, listening, read_quota, report_quota
from .rate_limit import ExponentialBackoffStrategy, FixedDelayStrategy, RateLimitStrategy
from .retry_after import retry_after_seconds, retry_delay_seconds, suggested_wait

__all__ = [
    "Allowance",
    "DefaultErrorClassifier",
    "ErrorCategory",
    "ErrorClassifier",
    "ErrorInfo",
    "ExponentialBackoffStrategy",
    "FixedDelayStrategy",
    "FrameworkTimeoutError",
    "QuotaReading",
    "RateLimitStrategy",
    "backoff_seconds",
    "listening",
    "read_quota",
    "report_quota",
    "retry_after_seconds",
    "retry_delay_seconds",
    "suggested_wait",
]
