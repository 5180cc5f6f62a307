"""The simulator as users hold it: threads, addresses, changes while it runs."""

from __future__ import annotations

import gc
import gzip
import json
import threading
import time
import zlib
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import (
    Answer,
    Capacity,
    Fault,
    FaultKind,
    Latency,
    Limit,
    ModelCall,
    Simulator,
    SimulatorSettings,
)
from batch_llm.testing.simulator.books import Sums

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


def test_reset_ends_what_is_under_way(client: httpx2.Client) -> None:
    with Simulator(latency=Latency(seconds=3_600)) as simulator:
        asking = threading.Thread(target=_ask, args=(client, simulator))
        asking.start()
        while simulator.books.totals().executed == 0:
            time.sleep(0.001)
        simulator.reset()
        asking.join()
        assert simulator.books.totals() == Sums(), "it is of the world before"
        outage = Fault(kind=FaultKind.REFUSED, seconds=3_600)
        simulator.add_fault(outage)
        with pytest.raises(httpx2.TransportError):
            _ask(client, simulator)
        with pytest.raises(httpx2.ConnectError):
            _ask(client, simulator)
        simulator.reset()
        simulator.set_latency(Latency())
        assert _ask(client, simulator).status_code == 200


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


def test_the_date_is_that_of_the_clock(client: httpx2.Client) -> None:
    with Simulator() as simulator:
        simulator.advance(86_400 * 400)
        date = parsedate_to_datetime(_ask(client, simulator).headers["date"])
        assert abs(date.timestamp() - simulator.now()) < 60


def test_what_it_takes_is_checked_at_the_door(client: httpx2.Client) -> None:
    with Simulator() as simulator:
        number = simulator.add_fault("503:1.0")
        assert _ask(client, simulator).status_code == 503
        simulator.remove_fault(number)
        number = simulator.add_fault({"kind": "status", "status": 418})
        assert _ask(client, simulator).status_code == 418
        simulator.remove_fault(number)
        simulator.set_limits(Limit(requests_per_minute=1))
        simulator.set_limits([{"requests_per_minute": 60}])
        simulator.set_latency(0.0)
        simulator.set_batch_times({"slices": 3})
        wrong: list[tuple[str, Any, str]] = [
            ("add_fault", "nonsense", "no such kind"),
            ("add_fault", 3, "value: "),
            ("add_fault", {"kind": "hang", "rate": 2}, "rate: "),
            ("add_fault", {"kind": "hang", "operation": "batchs.create"}, "batches.create"),
            ("set_limits", [{"requests_per_minute": 0}], "0.requests_per_minute: "),
            ("set_limits", ["x"], "0: "),
            ("set_limits", [{}], "0: .*limits nothing"),
            ("set_latency", -1, "seconds: "),
            ("set_latency", "fast", "value: "),
            ("set_batch_times", {"slice": 3}, "slice: "),
        ]
        for method, value, reason in wrong:
            with pytest.raises(ConfigurationError, match=reason):
                getattr(simulator, method)(value)
        assert _ask(client, simulator).status_code == 200
    with pytest.raises(ConfigurationError, match=r"limits\.0: limits nothing"):
        Simulator(limits=[Limit()])
    with pytest.raises(ConfigurationError, match="value: "):
        Simulator("echo")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="no operation 'x'"):
        Simulator(faults=[Fault(kind=FaultKind.HANG, operation="x")]).start()


def test_answers_change_until_the_next_reset(client: httpx2.Client) -> None:
    with Simulator() as simulator:
        simulator.set_answers({"hello": "Good day."})
        assert "Good day." in _ask(client, simulator).text
        simulator.set_answers(lambda call: call.prompt.upper())
        assert "HELLO" in _ask(client, simulator).text
        simulator.reset()
        assert "hello" in _ask(client, simulator).text
        with pytest.raises(ConfigurationError, match="answers= takes"):
            simulator.set_answers(3)  # type: ignore[arg-type]


def test_every_source_of_answers_is_closed(client: httpx2.Client) -> None:
    class Source:
        def __init__(self) -> None:
            self.closed = 0

        async def answer(self, call: ModelCall) -> Answer:
            return Answer("x")

        async def aclose(self) -> None:
            self.closed += 1

    first, second = Source(), Source()
    with Simulator() as simulator:
        simulator.set_answers(first)
        simulator.set_answers(second)
        assert (first.closed, second.closed) == (0, 0), "calls under way may still ask it"
        simulator.reset()
        assert (first.closed, second.closed) == (1, 1)


def test_calls_that_wait_their_turn_end_with_the_world(client: httpx2.Client) -> None:
    with Simulator(
        latency=Latency(seconds=3_600), limits=[Limit(capacity=Capacity(slots=1))]
    ) as simulator:
        asking = [threading.Thread(target=_ask, args=(client, simulator)) for _ in range(3)]
        for each in asking:
            each.start()
        while simulator.books.totals().executed < 3:
            time.sleep(0.001)
        simulator.reset()
        for each in asking:
            each.join()


def test_its_books_can_be_read_after_the_end(client: httpx2.Client) -> None:
    with Simulator() as simulator:
        _ask(client, simulator)
    assert simulator.books.totals().answered == 1


def test_clients_that_went_away_leave_no_task(caplog: pytest.LogCaptureFixture) -> None:
    with Simulator(latency=Latency(seconds=3_600)) as simulator:
        for kind in ("hang", "none"):
            headers = {"x-sim-fault": '{"kind": "hang", "seconds": 1e6}'} if kind == "hang" else {}
            with httpx2.Client(headers={"Authorization": "Bearer k", **headers}) as impatient:
                with pytest.raises(httpx2.ReadTimeout):
                    impatient.post(
                        f"{simulator.openai_base_url}/chat/completions", json=QUESTION, timeout=0.05
                    )
    gc.collect()
    assert "never" not in caplog.text
    assert "pending" not in caplog.text


@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", gzip.compress(json.dumps(QUESTION).encode(), mtime=0), 200),
        ("deflate", zlib.compress(json.dumps(QUESTION).encode()), 200),
        ("identity", json.dumps(QUESTION).encode(), 200),
        ("gzip", b"{}", 400),
        ("deflate", b"{}", 400),
        ("br", b"{}", 400),
    ],
)
def test_a_body_that_is_packed(
    client: httpx2.Client, encoding: str, content: bytes, status: int
) -> None:
    with Simulator() as simulator:
        answer = client.post(
            f"{simulator.openai_base_url}/chat/completions",
            content=content,
            headers={"Content-Encoding": encoding},
        )
        assert answer.status_code == status
        if status == 400:
            assert "Content-Encoding" in answer.json()["error"]["message"]
            assert answer.headers["x-request-id"]


@pytest.mark.parametrize(("ttl", "usd_of_million"), [("5m", 1.25), ("1h", 2.0)])
def test_what_is_kept_for_an_hour_costs_more(
    client: httpx2.Client, ttl: str, usd_of_million: float
) -> None:
    mark = {"type": "ephemeral", "ttl": ttl}
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 5,
        "system": [{"type": "text", "text": "long " * 20_000, "cache_control": mark}],
        "messages": [{"role": "user", "content": "x"}],
    }
    with Simulator() as simulator:
        url = f"{simulator.anthropic_base_url}/v1/messages"
        assert client.post(url, json=body, headers={"anthropic-version": "2023-06-01"}).is_success
        usage, usd = simulator.books.records[0].usage, simulator.books.totals().usd
    fresh = usage.input_tokens - usage.cache_write_tokens
    assert usage.cache_write_tokens > 20_000
    billed = usage.cache_write_tokens * usd_of_million + fresh * 1.0 + usage.output_tokens * 5.0
    assert usd == pytest.approx(billed / 1e6)


def test_the_clock_jumps() -> None:
    with Simulator() as simulator:
        start = simulator.now()
        simulator.advance(86_400)
        assert simulator.now() - start >= 86_400
        for seconds in (-1, 3e11, float("inf")):
            with pytest.raises(ConfigurationError, match="forward"):
                simulator.advance(seconds)


def test_the_environment_leads_every_sdk_here() -> None:
    with Simulator() as simulator:
        environment = simulator.environment("my-key")
        assert environment["OPENAI_BASE_URL"] == simulator.base_url + "/openai/v1"
        assert environment["ANTHROPIC_BASE_URL"] == simulator.base_url + "/anthropic"
        assert environment["GOOGLE_GEMINI_BASE_URL"] == simulator.base_url + "/gemini"
        keys = {value for name, value in environment.items() if name.endswith("_KEY")}
        assert keys == {"my-key"}


def test_the_environment_names_a_key_that_is_right() -> None:
    with Simulator(keys=("mine", "other")) as simulator:
        assert simulator.environment()["OPENAI_API_KEY"] == "mine"


def test_an_address_of_version_6_can_be_called(client: httpx2.Client) -> None:
    with Simulator(host="::1") as simulator:
        assert simulator.base_url.startswith("http://[::1]:")
        assert _ask(client, simulator).status_code == 200


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
