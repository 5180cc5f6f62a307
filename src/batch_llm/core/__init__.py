"""Configuration, and the shapes of things that are not ours."""

from .config import (
    AUTO,
    HedgeConfig,
    LedgerConfig,
    ProcessorConfig,
    RateLimitConfig,
    RetryConfig,
    SharedLimits,
)
from .duration import Duration, duration_seconds
from .protocols import AgentLike, ResultLike, UsageLike

__all__ = [
    "AUTO",
    "AgentLike",
    "Duration",
    "HedgeConfig",
    "LedgerConfig",
    "ProcessorConfig",
    "RateLimitConfig",
    "ResultLike",
    "RetryConfig",
    "SharedLimits",
    "UsageLike",
    "duration_seconds",
]
