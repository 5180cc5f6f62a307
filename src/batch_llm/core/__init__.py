"""Configuration, and the shapes of things that are not ours."""

from .config import AUTO, ProcessorConfig, RateLimitConfig, RetryConfig
from .protocols import AgentLike, ResultLike, UsageLike

__all__ = [
    "AUTO",
    "AgentLike",
    "ProcessorConfig",
    "RateLimitConfig",
    "ResultLike",
    "RetryConfig",
    "UsageLike",
]
