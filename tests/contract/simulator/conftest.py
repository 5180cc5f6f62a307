"""A simulator for each test, and a check that the endpoints a test names were reached."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.sdk_coverage import covered_by, watched

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def running_simulator() -> Iterator[Simulator]:
    with Simulator(seed=1, speed=10_000) as simulator:
        yield simulator


@pytest.fixture
def simulator(
    running_simulator: Simulator,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Simulator]:
    """A simulator as new, whose clock runs 10,000 times faster."""
    running_simulator.reset()
    calls = {covered: watched(covered, monkeypatch) for covered in covered_by(request.node)}
    yield running_simulator
    answered = running_simulator.books.routes_answered()
    for covered, was_called in calls.items():
        assert was_called(), f"not called: {covered}"
        assert (covered.provider, covered.endpoint) in answered, f"not reached: {covered}"
    assert running_simulator.broken == 0, "the simulator met a defect of its own; see its log"
