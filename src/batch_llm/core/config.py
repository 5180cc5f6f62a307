"""Settings of a processor, checked once, at the door."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

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
class HedgeConfig:
    """When a second, equal call is made because the first one takes long; the faster one counts.

    Args:
        after_seconds: how long a call may take before; None: a tenth longer than 19 of 20 took.
        max_extra_percent: second calls, at most, as a share of all items.
    """

    after_seconds: float | None = None
    max_extra_percent: float = 5.0

    def validate(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: naming the setting, its value and what is accepted.
        """
        if self.after_seconds is not None:
            _check_above("HedgeConfig.after_seconds", self.after_seconds, 0)
        name, share = "HedgeConfig.max_extra_percent", self.max_extra_percent
        _require(_is_number(share) and 0 < share <= 5, name, share, "above 0 and at most 5")


@dataclass(slots=True)
class LedgerConfig:
    """Where a run keeps what it has done, so that a later one need not do it again.

    Args:
        path: the file; its suffix, in any case, says how it is kept: ".jsonl" or ".ndjson" as lines
            of JSON, any other as an SQLite database.
        store_prompts: keep prompts as text; without, their hashes alone.
        durability: what a result must survive before you see it: "process" the end of this
            process at any instant, `kill -9` included; "power" also that of the machine, at the
            cost of one fsync for each group of results.
        response_cache: answer an item with what the ledger holds for an equal request of another.
    """

    path: str | Path
    store_prompts: bool = True
    durability: Literal["process", "power"] = "process"
    response_cache: bool = False

    def validate(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: naming the setting, its value and what is accepted.
        """
        is_path = isinstance(self.path, (str, Path)) and str(self.path).strip() != ""
        _require(is_path, "LedgerConfig.path", self.path, "the path of a file")
        _require(
            self.durability in ("process", "power"),
            "LedgerConfig.durability",
            self.durability,
            "'process' or 'power'",
        )


@dataclass(slots=True)
class SharedLimits:
    """Limits that several processes keep to together, counted in Redis.

    Args:
        url: such as "redis://localhost:6379/0".
        name: what the processes that share the limits have in common.
        requests_per_minute: starts of all of them in any 60 seconds.
    """

    url: str
    name: str
    requests_per_minute: int

    def validate(self) -> None:
        """Refuse settings that cannot work.

        Raises:
            ConfigurationError: naming the setting, its value and what is accepted.
        """
        accepted = "an address such as 'redis://localhost:6379/0'"
        is_address = isinstance(self.url, str) and "://" in self.url
        # Not the value: it may hold a password.
        _require(is_address, "SharedLimits.url", "(hidden)", accepted)
        has_name = isinstance(self.name, str) and self.name.strip() != ""
        _require(has_name, "SharedLimits.name", self.name, "a name")
        _check_count("SharedLimits.requests_per_minute", self.requests_per_minute, 1)


_OPTIONAL_AMOUNTS: Final = (
    "max_requests_per_minute",
    "max_tokens_per_minute",
    "max_input_tokens_per_minute",
    "max_output_tokens_per_minute",
    "max_cost_usd",
    "item_deadline_seconds",
    "run_deadline_seconds",
)

FAILS_FAST: Final = ("authentication", "balance")
"""What no later call of the same strategy can mend: a refused key, and an empty account."""


@dataclass(slots=True)
class ProcessorConfig:
    """Settings of a `ParallelBatchProcessor`.

    Args:
        max_workers: calls in flight at once; "auto" finds the number by itself.
        timeout_per_item: seconds one attempt may take.
        item_deadline_seconds: seconds an item may take with all its waits and attempts.
        run_deadline_seconds: seconds a run may take; what has not ended by then is cut off.
        retry: when a failed attempt is made again.
        rate_limit: what happens after a rate limit.
        max_requests_per_minute: starts allowed in any 60 seconds; None for no limit.
        max_tokens_per_minute: tokens, in and out, allowed in any 60 seconds; likewise
            `max_input_tokens_per_minute` and `max_output_tokens_per_minute` for one of the two.
        shared_limits: limits kept together with other processes.
        max_cost_usd: what all calls together may cost at the most; never exceeded. With a ledger
            it holds across its runs.
        ledger: where the run keeps what it has done; None keeps nothing.
        share_identical: let equal requests in flight share one call. None: only those whose
            temperature is 0; True: all; False: none.
        hedge: make a second call where the first takes long; None makes none.
        fail_fast: failures after which no further call of the same strategy is made:
            "authentication", "balance", or none of them.
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
    max_tokens_per_minute: float | None = None
    max_input_tokens_per_minute: float | None = None
    max_output_tokens_per_minute: float | None = None
    shared_limits: SharedLimits | None = None
    max_cost_usd: float | None = None
    item_deadline_seconds: float | None = None
    run_deadline_seconds: float | None = None
    ledger: LedgerConfig | None = None
    share_identical: bool | None = None
    hedge: HedgeConfig | None = None
    fail_fast: tuple[str, ...] = FAILS_FAST

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
        for name in _OPTIONAL_AMOUNTS:
            value = getattr(self, name)
            if value is not None:
                _check_above(f"ProcessorConfig.{name}", value, 0)
        unknown = set(self.fail_fast) - set(FAILS_FAST)
        _require(not unknown, "ProcessorConfig.fail_fast", self.fail_fast, f"some of {FAILS_FAST}")
        for part in (self.shared_limits, self.ledger, self.hedge):
            if part is not None:
                part.validate()
        _check_count("ProcessorConfig.progress_interval", self.progress_interval, 1)
        _check_above("ProcessorConfig.progress_callback_timeout", self.progress_callback_timeout, 0)
        _check_count("ProcessorConfig.max_queue_size", self.max_queue_size, 0)
        self.retry.validate()
        self.rate_limit.validate()
