"""pytest fixtures: a simulator for each test, and where its providers are.

Put this into the conftest.py at the top of your tests:

    pytest_plugins = ["batch_llm.testing.fixtures"]

The server is started once for a session and made new before each test. To start it in another way,
define a fixture `simulator_settings` of the scope "session" that returns `SimulatorSettings`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .simulator import Simulator, SimulatorSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def simulator_settings() -> SimulatorSettings:
    """How the simulator starts before each test; define your own to change it."""
    return SimulatorSettings()


@pytest.fixture(scope="session")
def simulator_server(simulator_settings: SimulatorSettings) -> Iterator[Simulator]:
    """The server behind `simulator`, which lasts for the session."""
    with Simulator(simulator_settings) as server:
        yield server


@pytest.fixture
def simulator(simulator_server: Simulator) -> Simulator:
    """A simulator as new: nothing in its books, no faults, no batches but those of the settings."""
    simulator_server.reset()
    return simulator_server


@pytest.fixture
def openai_base_url(simulator: Simulator) -> str:
    """The `base_url` for OpenAI's SDK."""
    return simulator.openai_base_url


@pytest.fixture
def anthropic_base_url(simulator: Simulator) -> str:
    """The `base_url` for Anthropic's SDK."""
    return simulator.anthropic_base_url


@pytest.fixture
def gemini_base_url(simulator: Simulator) -> str:
    """The `base_url` for google-genai's `HttpOptions`."""
    return simulator.gemini_base_url


@pytest.fixture
def simulator_environment(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Lead every SDK to the simulator by environment variables, and return them."""
    variables = simulator.environment()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables
