from __future__ import annotations

import asyncio

import pytest

from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ProviderError,
    RateLimitedError,
    ServerError,
)
from batch_llm.providers import Retries
from batch_llm.testing import run_in_virtual_time


class Request:
    """Fails with each of some errors, and then answers."""

    def __init__(self, *errors: ProviderError) -> None:
        self.errors = list(errors)
        self.made_at: list[float] = []

    async def __call__(self) -> str:
        self.made_at.append(asyncio.get_running_loop().time())
        if self.errors:
            raise self.errors.pop(0)
        return "answer"

    @property
    def waits(self) -> list[float]:
        pairs = zip(self.made_at, self.made_at[1:], strict=False)
        return [later - earlier for earlier, later in pairs]


def test_waits_grow_and_end_with_the_last_attempt() -> None:
    request = Request(*(ServerError("oh") for _ in range(9)))
    with pytest.raises(ServerError):
        run_in_virtual_time(lambda: Retries(attempts=4, initial_seconds=2).run(request))
    assert len(request.made_at) == 4
    for wait, longest in zip(request.waits, (2, 4, 8), strict=True):
        assert longest / 2 <= wait <= longest


def test_a_failure_that_passes() -> None:
    request = Request(ServerError("oh"))
    assert run_in_virtual_time(lambda: Retries().run(request)) == "answer"


def test_a_provider_is_given_the_time_that_it_asks_for() -> None:
    request = Request(RateLimitedError("slow down", retry_after=30))
    assert run_in_virtual_time(lambda: Retries().run(request)) == "answer"
    assert request.waits == [30]


def test_nobody_waits_longer_than_told() -> None:
    request = Request(RateLimitedError("tomorrow", retry_after=3_600))
    with pytest.raises(RateLimitedError):
        run_in_virtual_time(lambda: Retries(longest_seconds=60).run(request))
    assert len(request.made_at) == 1


def test_what_would_fail_again_is_not_made_again() -> None:
    request = Request(AuthenticationError("no"))
    with pytest.raises(AuthenticationError):
        run_in_virtual_time(lambda: Retries().run(request))
    assert len(request.made_at) == 1


@pytest.mark.parametrize(
    "settings", [{"attempts": 0}, {"initial_seconds": -1}, {"longest_seconds": -1}]
)
def test_settings_that_cannot_work(settings: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError):
        Retries(**settings)  # type: ignore[arg-type]  # one of them
