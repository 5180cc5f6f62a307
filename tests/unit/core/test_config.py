"""Settings, checked at the door."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest

from batch_llm import ConfigurationError, ProcessorConfig, RateLimitConfig, RetryConfig


def test_the_defaults_are_those_of_the_contract() -> None:
    config = ProcessorConfig()
    assert (config.max_workers, config.timeout_per_item) == (5, 120.0)
    assert config.max_requests_per_minute is None
    assert (config.progress_interval, config.progress_callback_timeout) == (10, 5.0)
    assert (config.enable_detailed_logging, config.dry_run) == (False, False)
    assert config.max_queue_size == 0
    assert config.retry == RetryConfig(
        max_attempts=3, initial_wait=1.0, max_wait=60.0, exponential_base=2.0, jitter=True
    )
    assert config.retry.max_rate_limit_retries == 20
    assert config.rate_limit == RateLimitConfig(
        cooldown_seconds=300.0,
        slow_start_items=50,
        slow_start_initial_delay=2.0,
        slow_start_final_delay=0.1,
        backoff_multiplier=1.5,
    )


def test_the_fields_are_in_the_contracts_order() -> None:
    def names(kind: Any, count: int) -> list[str]:
        return [field.name for field in dataclasses.fields(kind)][:count]

    assert names(ProcessorConfig, 10) == [
        "max_workers",
        "timeout_per_item",
        "retry",
        "rate_limit",
        "max_requests_per_minute",
        "progress_interval",
        "progress_callback_timeout",
        "enable_detailed_logging",
        "max_queue_size",
        "dry_run",
    ]
    assert names(RetryConfig, 5) == [
        "max_attempts",
        "initial_wait",
        "max_wait",
        "exponential_base",
        "jitter",
    ]
    assert names(RateLimitConfig, 5) == [
        "cooldown_seconds",
        "slow_start_items",
        "slow_start_initial_delay",
        "slow_start_final_delay",
        "backoff_multiplier",
    ]


def test_configs_share_no_part() -> None:
    one, other = ProcessorConfig(), ProcessorConfig()
    one.retry.max_attempts = 9
    one.rate_limit.cooldown_seconds = 1.0
    assert other.retry.max_attempts == 3
    assert other.rate_limit.cooldown_seconds == 300.0


@pytest.mark.parametrize("kind", [ProcessorConfig, RetryConfig, RateLimitConfig])
def test_the_defaults_are_valid(kind: Any) -> None:
    assert kind().validate() is None


NO_NUMBERS = [None, "5", math.nan, True, [1]]


@pytest.mark.parametrize(
    ("kind", "name", "wrong"),
    [
        *((ProcessorConfig, "max_workers", v) for v in (0, -1, 2.5, "many", None, True, math.nan)),
        *((ProcessorConfig, "timeout_per_item", v) for v in (0, -1, *NO_NUMBERS)),
        *((ProcessorConfig, "max_requests_per_minute", v) for v in (0, -1, *NO_NUMBERS[1:])),
        *((ProcessorConfig, "progress_interval", v) for v in (0, -1, 1.5, *NO_NUMBERS)),
        *((ProcessorConfig, "progress_callback_timeout", v) for v in (0, -1, *NO_NUMBERS)),
        *((ProcessorConfig, "max_queue_size", v) for v in (-1, 1.5, *NO_NUMBERS)),
        *((RetryConfig, "max_attempts", v) for v in (0, -1, 1.5, *NO_NUMBERS)),
        *((RetryConfig, "initial_wait", v) for v in (-1, *NO_NUMBERS)),
        *((RetryConfig, "max_wait", v) for v in (-1, 0.5, *NO_NUMBERS)),
        *((RetryConfig, "exponential_base", v) for v in (0, 0.5, -1, *NO_NUMBERS)),
        *((RetryConfig, "max_rate_limit_retries", v) for v in (-1, 1.5, *NO_NUMBERS)),
        *((RateLimitConfig, "cooldown_seconds", v) for v in (-1, *NO_NUMBERS)),
        *((RateLimitConfig, "slow_start_items", v) for v in (-1, 1.5, *NO_NUMBERS)),
        *((RateLimitConfig, "slow_start_initial_delay", v) for v in (-1, *NO_NUMBERS)),
        *((RateLimitConfig, "slow_start_final_delay", v) for v in (-1, *NO_NUMBERS)),
        *((RateLimitConfig, "backoff_multiplier", v) for v in (0, 0.9, *NO_NUMBERS)),
    ],
)
def test_what_cannot_work_is_refused_by_name_and_value(kind: Any, name: str, wrong: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kind(**{name: wrong}).validate()
    assert isinstance(caught.value, ValueError)
    assert f"{kind.__name__}.{name}" in str(caught.value)
    assert repr(wrong) in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (ProcessorConfig, {"max_workers": 1}),
        (ProcessorConfig, {"max_workers": "auto"}),
        (ProcessorConfig, {"max_workers": 10_000}),
        (ProcessorConfig, {"timeout_per_item": 1}),
        (ProcessorConfig, {"max_requests_per_minute": 0.5}),
        (ProcessorConfig, {"max_queue_size": 0}),
        (RetryConfig, {"max_attempts": 1}),
        (RetryConfig, {"initial_wait": 0, "max_wait": 0}),
        (RetryConfig, {"exponential_base": 1}),
        (RetryConfig, {"max_rate_limit_retries": 0}),
        (RateLimitConfig, {"cooldown_seconds": 0}),
        (RateLimitConfig, {"slow_start_items": 0}),
        (RateLimitConfig, {"slow_start_initial_delay": 0, "slow_start_final_delay": 0}),
        (RateLimitConfig, {"backoff_multiplier": 1}),
    ],
)
def test_a_value_at_the_edge_is_taken(kind: Any, settings: dict[str, Any]) -> None:
    kind(**settings).validate()


@pytest.mark.parametrize(
    "settings",
    [{"retry": RetryConfig(max_attempts=0)}, {"rate_limit": RateLimitConfig(slow_start_items=-1)}],
)
def test_a_processors_config_checks_its_parts_too(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        ProcessorConfig(**settings).validate()
