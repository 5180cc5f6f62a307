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
from .protocols import AgentLike, ResultLike, UsageLike

__all__ = [
    "AUTO",
    "AgentLike",
    "HedgeConfig",
    "LedgerConfig",
    "ProcessorConfig",
    "RateLimitConfig",
    "ResultLike",
    "RetryConfig",
    "SharedLimits",
    "UsageLike",
]
