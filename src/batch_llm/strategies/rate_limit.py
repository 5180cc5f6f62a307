"""Cooldown and slow-start curves: pure, they sleep nowhere."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..exceptions import ConfigurationError


class RateLimitStrategy(ABC):
    """Says how long to pause after a rate limit, and how slowly to start again."""

    @abstractmethod
    async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
        """Return the seconds that all workers pause.

        Args:
            worker_id: the worker that was refused first.
            consecutive_limits: 1 for the first hit since a success, then 2, 3, …
        """

    @abstractmethod
    def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
        """Return whether the next call is spaced out, and by how many seconds.

        Args:
            items_since_resume: calls started since the pause ended, 0 for the first.
        """


class ExponentialBackoffStrategy(RateLimitStrategy):
    """Pauses that grow with each hit in a row, then a linear slow start.

    Pause n is `min(initial_cooldown * backoff_multiplier ** (n - 1), max_cooldown)`; the delay
    before call i of N is `max(final, initial - (initial - final) * i / N)`.

    Args:
        initial_cooldown: seconds of the first pause.
        max_cooldown: seconds of the longest.
        backoff_multiplier: growth from one to the next.
        slow_start_items: N, calls spaced out after a pause.
        slow_start_initial_delay: seconds before the first of them.
        slow_start_final_delay: seconds before the last of them.

    Raises:
        ConfigurationError: for a negative setting, or a multiplier below 1.
    """

    def __init__(
        self,
        initial_cooldown: float = 60.0,
        max_cooldown: float = 600.0,
        backoff_multiplier: float = 2.0,
        slow_start_items: int = 50,
        slow_start_initial_delay: float = 2.0,
        slow_start_final_delay: float = 0.1,
    ) -> None:
        _refuse_negative(
            initial_cooldown=initial_cooldown,
            max_cooldown=max_cooldown,
            slow_start_items=slow_start_items,
            slow_start_initial_delay=slow_start_initial_delay,
            slow_start_final_delay=slow_start_final_delay,
        )
        if backoff_multiplier < 1:
            raise ConfigurationError(
                f"backoff_multiplier must be at least 1, not {backoff_multiplier!r}."
            )
        self.initial_cooldown = initial_cooldown
        self.max_cooldown = max_cooldown
        self.backoff_multiplier = backoff_multiplier
        self.slow_start_items = slow_start_items
        self.slow_start_initial_delay = slow_start_initial_delay
        self.slow_start_final_delay = slow_start_final_delay
        span = slow_start_initial_delay - slow_start_final_delay
        self._delays = tuple(
            max(slow_start_final_delay, slow_start_initial_delay - span * i / slow_start_items)
            for i in range(slow_start_items)
        )

    async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
        """Return the seconds of the n-th pause in a row."""
        try:
            cooldown = self.initial_cooldown * self.backoff_multiplier ** (consecutive_limits - 1)
        except OverflowError:
            return self.max_cooldown
        return min(cooldown, self.max_cooldown)

    def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
        """Return the delay before the i-th call after a pause."""
        if items_since_resume < len(self._delays):
            return True, self._delays[items_since_resume]
        return False, 0.0


class FixedDelayStrategy(RateLimitStrategy):
    """The same pause each time, and a fixed delay between calls ever after.

    Args:
        cooldown: seconds of each pause.
        delay_between_requests: seconds between two calls once a rate limit has been hit.
    """

    def __init__(self, cooldown: float = 300.0, delay_between_requests: float = 1.0) -> None:
        _refuse_negative(cooldown=cooldown, delay_between_requests=delay_between_requests)
        self.cooldown = cooldown
        self.delay_between_requests = delay_between_requests

    async def on_rate_limit(self, worker_id: int, consecutive_limits: int) -> float:
        """Return the fixed pause."""
        return self.cooldown

    def should_apply_slow_start(self, items_since_resume: int) -> tuple[bool, float]:
        """Return the fixed delay, for every call."""
        return self.delay_between_requests > 0, self.delay_between_requests


def _refuse_negative(**settings: float) -> None:
    for name, value in settings.items():
        if value < 0:
            raise ConfigurationError(f"{name} must not be negative, and is {value!r}.")
