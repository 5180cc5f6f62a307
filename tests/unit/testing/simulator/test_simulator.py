"""The simulator as users hold it: threads, addresses, changes while it runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import httpx2
import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import (
    Fault,
    FaultKind,
    Latency,
    Limit,
    Simulator,
    SimulatorSettings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTION = {"model": "gpt-5", "messages": [{"role": "user", "content": "hello"}]}


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    with httpx2.Client(headers={"Authorization": "Bearer k"}) as client:
        yield client


def _ask(client: httpx2.Client, simulator: Simulator, prompt: str = "hello") -> httpx2.Response:
    body = {**QUESTION, "messages": [{"role": "user", "content": prompt}]}
    return client.post(f"{simulator.openai_base_url}/chat/completions", json=body)


def test_it_answers_while_it_runs_and_leaves_no_thread(client: httpx2.Client) -> None:
    before = threading.active_count()
    with Simulator() as simulator:
        answer = _ask(client, simulator).json()
        assert answer["choices"][0]["message"]["content"] == "hello"
        address = simulator.base_url
    assert threading.active_count() == before
    with pytest.raises(httpx2.ConnectError):
        client.get(address)


async def test_it_runs_beside_an_event_loop() -> None:
    async with Simulator() as simulator, httpx2.AsyncClient() as client:
        answer = await client.post(
            f"{simulator.openai_base_url}/chat/completions",
            json=QUESTION,
            headers={"Authorization": "Bearer k"},
        )
        assert answer.status_code == 200


def test_it_can_be_started_again_on_its_port(client: httpx2.Client) -> None:
    simulator = Simulator()
    with simulator:
        address = simulator.base_url
        _ask(client, simulator)
    with simulator:
        assert simulator.base_url == address
        assert simulator.books.totals().requests == 0
        assert _ask(client, simulator).status_code == 200


def test_it_is_started_once() -> None:
    with Simulator() as simulator, pytest.raises(ConfigurationError, match="runs already"):
        simulator.start()


def test_closing_twice_is_fine() -> None:
    simulator = Simulator().start()
    simulator.close()
    simulator.close()


def test_what_needs_it_to_run_says_so() -> None:
    with pytest.raises(ConfigurationError, match="does not run"):
        _ = Simulator().base_url


def test_a_port_that_is_taken_leaves_no_thread() -> None:
    with Simulator() as simulator:
        threads = threading.active_count()
        port = int(simulator.base_url.rpartition(":")[2])
        other = Simulator(port=port)
        with pytest.raises(ConfigurationError, match="another port"):
            other.start()
        assert threading.active_count() == threads
        other.close()


def test_reset_makes_it_new_on_the_same_address(client: httpx2.Client) -> None:
    with Simulator(faults=[Fault(kind=FaultKind.STATUS, prompt_contains="bad")]) as simulator:
        address = simulator.base_url
        simulator.add_fault(Fault(kind=FaultKind.STATUS))
        assert _ask(client, simulator).status_code == 500
        simulator.reset()
        assert simulator.base_url == address
        assert _ask(client, simulator).status_code == 200
        assert _ask(client, simulator, "bad").status_code == 500, "the settings' own stay"
        assert simulator.books.totals().requests == 2


def test_settings_may_be_given_by_name() -> None:
    settings = SimulatorSettings(seed=3)
    with Simulator(settings, speed=100) as simulator:
        start = simulator.now()
        while simulator.now() < start + 1:
            pass
    with pytest.raises(ValueError, match="speeed"):
        Simulator(settings, speeed=100)


def test_it_changes_while_it_runs(client: httpx2.Client) -> None:
    with Simulator() as simulator:
        number = simulator.add_fault(Fault(kind=FaultKind.STATUS, status=503))
        assert _ask(client, simulator).status_code == 503
        assert simulator.remove_fault(number)
        assert not simulator.remove_fault(number)
        assert _ask(client, simulator).status_code == 200
        simulator.add_fault(Fault(kind=FaultKind.STATUS, status=503))
        simulator.clear_faults()
        simulator.set_limits([Limit(requests_per_minute=1)])
        statuses = [_ask(client, simulator).status_code for _ in range(3)]
        assert statuses[-1] == 429
        simulator.set_limits([])
        assert _ask(client, simulator).status_code == 200
        simulator.set_speed(1_000)
        simulator.set_latency(Latency(seconds=50))
        start = simulator.now()
        _ask(client, simulator)
        assert simulator.now() >= start + 50


def test_the_clock_jumps() -> None:
    with Simulator() as simulator:
        start = simulator.now()
        simulator.advance(86_400)
        assert simulator.now() - start >= 86_400
        with pytest.raises(ConfigurationError, match="forward"):
            simulator.advance(-1)


def test_the_environment_leads_every_sdk_here() -> None:
    with Simulator() as simulator:
        environment = simulator.environment("my-key")
        assert environment["OPENAI_BASE_URL"] == simulator.base_url + "/openai/v1"
        assert environment["ANTHROPIC_BASE_URL"] == simulator.base_url + "/anthropic"
        assert environment["GOOGLE_GEMINI_BASE_URL"] == simulator.base_url + "/gemini"
        keys = {value for name, value in environment.items() if name.endswith("_KEY")}
        assert keys == {"my-key"}


def test_an_address_outside_of_all_providers(client: httpx2.Client) -> None:
    with Simulator() as simulator:
        answer = client.get(f"{simulator.base_url}/v1/models")
        assert answer.status_code == 404
        assert "/openai/v1" in answer.json()["error"]["message"]


def test_the_books_tell_how_a_call_ended(client: httpx2.Client) -> None:
    with Simulator() as simulator:
        _ask(client, simulator)
        for kind in (FaultKind.STATUS, FaultKind.DROPPED, FaultKind.RESET_BEFORE):
            number = simulator.add_fault(Fault(kind=kind))
            try:
                _ask(client, simulator)
            except httpx2.TransportError:
                pass
            simulator.remove_fault(number)
        fates = [(r.fate, r.status, r.executed) for r in simulator.books.records]
        assert fates == [
            ("answered", 200, True),
            ("failed", 500, False),
            ("lost", 0, True),
            ("failed", 0, False),
        ]
