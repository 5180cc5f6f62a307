"""Which methods of the official SDKs are seen to work against the simulator, endpoint by endpoint.

    @covers("openai", "POST /files", "files.create")
    def test_…(simulator): …

After the test the simulator's books must show that the endpoint answered. What all tests cover is
the table in docs/simulator.md.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

TTest = TypeVar("TTest", bound="Callable[..., object]")


@dataclass(frozen=True, order=True)
class Covered:
    """One endpoint that one method of an SDK reaches.

    Attributes:
        provider: "openai", "anthropic" or "gemini".
        endpoint: method and pattern, as the simulator's route has it: "POST /files".
        method: of the SDK's client: "files.create".
        is_async: whether the test drives the SDK's async client.
    """

    provider: str
    endpoint: str
    method: str
    is_async: bool


def covers(provider: str, endpoint: str, *methods: str) -> Callable[[TTest], TTest]:
    """Say that a test sees `methods` of the SDK reach `endpoint`; an async test covers async."""

    def mark(test: TTest) -> TTest:
        is_async = inspect.iscoroutinefunction(test)
        for method in methods:
            test = pytest.mark.covers(Covered(provider, endpoint, method, is_async))(test)
        return test

    return mark


def covered_by(item: pytest.Item) -> list[Covered]:
    """Return what a test says it covers."""
    return [mark.args[0] for mark in item.iter_markers("covers")]
