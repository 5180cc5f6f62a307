"""How often, and how long after, a request is made again that may be made twice."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from ..exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    MalformedAnswerError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from ..strategies.backoff import backoff_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

T = TypeVar("T")

_PASSING = (
    ConnectionFailedError,
    MalformedAnswerError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """Repeats polls, downloads, uploads, lists and cancels; a create is never repeated.

    Args:
        attempts: how often a request is made at the most.
        initial_seconds: before the second attempt; each further wait is twice as long, and all
            are shortened by chance, by up to a half.
        longest_seconds: the longest wait. Where a provider asks for a longer one, its error is
            raised at once, for the caller to come back later.

    Raises:
        ConfigurationError: for a number that cannot work.
    """

    attempts: int = 5
    initial_seconds: float = 0.5
    longest_seconds: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or self.initial_seconds < 0 or self.longest_seconds < 0:
            raise ConfigurationError(
                "Retries takes at least 1 attempt, and waits of 0 seconds or more."
            )

    async def run(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make a request, and again where its failure may pass.

        Raises:
            ProviderError: of the last attempt, or one that would fail again.
        """
        for attempt in range(1, self.attempts):
            try:
                return await request()
            except _PASSING as error:
                wait = self._wait(attempt, error)
                if wait is None:
                    raise
            await asyncio.sleep(wait)
        return await request()

    def _wait(self, attempt: int, error: ProviderError) -> float | None:
        asked = error.retry_after or 0.0
        if asked > self.longest_seconds:
            return None
        own = backoff_seconds(
            attempt,
            initial=self.initial_seconds,
            base=2.0,
            longest=self.longest_seconds,
            jitter=True,
        )
        return max(own, asked)
