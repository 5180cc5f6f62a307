"""Settings of a processor, checked once, at the door."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from ..exceptions import ConfigurationError

AUTO: Literal["auto"] = "auto"


def _require(holds: bool, name: str, value: object, accepted: str) -> None:
    if not holds:
        raise ConfigurationError(f"{name} must be {accepted}, not {value!r}.")


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_at_least(name: str, value: float, least: float) -> None:
    _require(_is_number(value) and value >= least, name, value, f"a number of at least {least:g}")


def _check_above(name: str, value: float, limit: float) -> None:
    _require(_is_number(value) and value > limit, name, value, f"a number above {limit:g}")


def _check_count(name: str, value: int, least: int) -> None:
    _require(_is_whole(value) and value >= least, name, value, f"a whole number from {least} up")


@dataclass(slots=True)
class RetryConfig:
    """When and how often a failed attempt is made again.

    Args:
        max_attempts: attempts an item may have, the first included; rate limits do not count.
        initial_wait: seconds before the second attempt.
        max_wait: the longest wait before any attempt, in seconds.
        exponential_base: each wait is this many times the one before.
        jitter: multiplies each wait by a random 0.5 to 1, so that items do not return in step.
        max_rate_limit_retries: times an item may be refused by a rate limit and come back.
    """

    max_attempts: int = 3
    initial_wait: float = 1.0
    max_wait: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    max_rate_limit_retries: int = 20

    def validate(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: naming the setting, its value and what is accepted.
        """
        _check_count("RetryConfig.max_attempts", self.max_attempts, 1)
        _check_at_least("RetryConfig.initial_wait", self.initial_wait, 0)
        _check_at_least("RetryConfig.max_wait", self.max_wait, self.initial_wait)
        _check_at_least("RetryConfig.exponential_base", self.exponential_base, 1)
        _check_count("RetryConfig.max_rate_limit_retries", self.max_rate_limit_retries, 0)


@dataclass(slots=True)
class RateLimitConfig:
    """What happens after a rate limit that does not say how long to wait.

    Args:
        cooldown_seconds: how long all workers pause after the first hit.
        slow_start_items: calls after the pause that are spaced out.
        slow_start_initial_delay: seconds before the first of them.
        slow_start_final_delay: seconds before the last of them.
        backoff_multiplier: each further hit in a row makes the pause this many times longer.
    """

    cooldown_seconds: float = 300.0
    slow_start_items: int = 50
    slow_start_initial_delay: float = 2.0
    slow_start_final_delay: float = 0.1
    backoff_multiplier: float = 1.5

    def validate(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: naming the setting, its value and what is accepted.
        """
        _check_at_least("RateLimitConfig.cooldown_seconds", self.cooldown_seconds, 0)
        _check_count("RateLimitConfig.slow_start_items", self.slow_start_items, 0)
        _check_at_least(
            "RateLimitConfig.slow_start_initial_delay", self.slow_start_initial_delay, 0
        )
        _check_at_least("RateLimitConfig.slow_start_final_delay", self.slow_start_final_delay, 0)
        _check_at_least("RateLimitConfig.backoff_multiplier", self.backoff_multiplier, 1)


@dataclass(slots=True)
class ProcessorConfig:
    """Settings of a `ParallelBatchProcessor`.

    Args:
        max_workers: calls in flight at once; "auto" finds a number between 4 and 100 by itself.
        timeout_per_item: seconds one attempt may take.
        retry: when a failed attempt is made again.
        rate_limit: what happens after a rate limit.
        max_requests_per_minute: starts allowed in any 60 seconds; None for no limit.
        progress_interval: items between two progress reports.
        progress_callback_timeout: seconds an async progress callback may take.
        enable_detailed_logging: log each attempt at DEBUG (never prompts or answers), and let the
            exceptions in results keep their tracebacks, with all that their frames hold.
        max_queue_size: items that may wait in the queue; 0 for no limit.
        dry_run: call `strategy.dry_run` instead of the model.
        graceful_interrupt: the first Ctrl-C lets calls in flight finish, the second stops at once.
            Only where the program has no SIGINT handler of its own.
    """

    max_workers: int | Literal["auto"] = 5
    timeout_per_item: float = 120.0
    retry: RetryConfig = field(default_factory=RetryConfig)
    rate_limit: RateLimitConfig = field(default_factory=RateLimitConfig)
    max_requests_per_minute: float | None = None
    progress_interval: int = 10
    progress_callback_timeout: float = 5.0
    enable_detailed_logging: bool = False
    max_queue_size: int = 0
    dry_run: bool = False
    graceful_interrupt: bool = True

    def validate(self) -> None:
        """Refuse settings that cannot work, those of `retry` and `rate_limit` included.

        Raises:
            ConfigurationError: naming the setting, its value and what is accepted.
        """
        if self.max_workers != AUTO:
            _require(
                _is_whole(self.max_workers) and self.max_workers >= 1,
                "ProcessorConfig.max_workers",
                self.max_workers,
                "a whole number from 1 up, or 'auto'",
            )
        _check_above("ProcessorConfig.timeout_per_item", self.timeout_per_item, 0)
        if self.max_requests_per_minute is not None:
            _check_above("ProcessorConfig.max_requests_per_minute", self.max_requests_per_minute, 0)
        _check_count("ProcessorConfig.progress_interval", self.progress_interval, 1)
        _check_above("ProcessorConfig.progress_callback_timeout", self.progress_callback_timeout, 0)
        _check_count("ProcessorConfig.max_queue_size", self.max_queue_size, 0)
        self.retry.validate()
        self.rate_limit.validate()
