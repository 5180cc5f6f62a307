"""The simulator's own endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def server() -> Iterator[Simulator]:
    with Simulator(seed=1) as simulator:
        yield simulator


class Asker:
    """Asks the simulator, as a client of a provider and below /_sim."""

    def __init__(self, address: str) -> None:
        self._http = httpx2.Client(base_url=address, headers={"Authorization": "Bearer k"})

    def chat(self, prompt: str = "hello") -> int:
        body = {"model": "gpt-4.1", "messages": [{"role": "user", "content": prompt}]}
        return self._http.post("/openai/v1/chat/completions", json=body).status_code

    def ask(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        answer = self._http.request(method, f"/_sim{path}", **options)
        assert answer.status_code == status, answer.text
        return answer.json()

    def refused(self, method: str, path: str, status: int = 400, **options: Any) -> str:
        message = self.ask(method, path, status, **options)["error"]["message"]
        assert isinstance(message, str)
        return message

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def asker(server: Simulator) -> Iterator[Asker]:
    server.reset()
    asker = Asker(server.base_url)
    yield asker
    asker.close()


def test_it_says_what_it_is(asker: Asker) -> None:
    about = asker.ask("GET", "")
    assert set(about["endpoints"]) == {"openai", "anthropic", "gemini"}
    assert "POST /chat/completions" in about["endpoints"]["openai"]
    assert asker.ask("GET", "/health") == {"ok": True, "broken": 0}
    assert asker.ask("GET", "/settings")["seed"] == 1


def test_the_books_as_json(asker: Asker) -> None:
    asker.chat()
    asker.chat()
    books = asker.ask("GET", "/books")
    assert books["totals"]["answered"] == 2
    assert books["scopes"][0]["provider"] == "openai"
    assert books["largest_starts_of_60_seconds"] == 2
    others = asker.ask("GET", "/books", params={"provider": "gemini"})
    assert (others["totals"]["answered"], others["scopes"]) == (0, [])


def test_records_are_filtered_and_come_in_pages(asker: Asker) -> None:
    for number in range(5):
        asker.chat(f"prompt {number}")
    asker.ask("POST", "/faults", 201, json={"kind": "status", "status": 503})
    asker.chat("bad")
    assert asker.ask("GET", "/books/records")["total"] == 6
    failed = asker.ask("GET", "/books/records", params={"fate": "failed", "status": "503"})
    assert [record["prompt"] for record in failed["records"]] == ["bad"]
    by_fault = asker.ask("GET", "/books/records", params={"fault": "status", "executed": "false"})
    assert by_fault["total"] == 1
    page = asker.ask("GET", "/books/records", params={"limit": "4", "after": "0"})
    assert (len(page["records"]), page["next_after"]) == (4, 4)
    rest = asker.ask("GET", "/books/records", params={"limit": "4", "after": "4"})
    assert (len(rest["records"]), rest["next_after"]) == (2, None)


def test_what_was_executed_twice(asker: Asker) -> None:
    asker.chat("once")
    asker.chat("twice")
    asker.chat("twice")
    repeated = asker.ask("GET", "/books/repeated")["calls"]
    assert [(each["executions"], each["call"]["prompt"]) for each in repeated] == [(2, "twice")]


def test_the_largest_windows(asker: Asker) -> None:
    asker.chat()
    asker.ask("POST", "/clock", json={"advance_seconds": 100})
    asker.chat()
    asker.chat()
    assert asker.ask("GET", "/books/windows")["largest_starts"] == 2
    wide = {"seconds": "1000", "provider": "openai", "accepted_only": "true"}
    windows = asker.ask("GET", "/books/windows", params=wide)
    assert (windows["largest_starts"], windows["seconds"]) == (3, 1000)
    assert windows["largest_tokens"] > 0


def test_faults_come_and_go(asker: Asker) -> None:
    number = asker.ask("POST", "/faults", 201, json={"kind": "status", "status": 529})["number"]
    assert asker.chat() == 529
    faults = asker.ask("GET", "/faults")
    assert [(f["number"], f["kind"], f["happened"]) for f in faults] == [(number, "status", 1)]
    asker.ask("DELETE", f"/faults/{number}")
    assert asker.chat() == 200
    asker.ask("POST", "/faults", 201, json={"kind": "status"})
    assert asker.ask("DELETE", "/faults") == []
    assert asker.chat() == 200
    assert "no fault 99" in asker.refused("DELETE", "/faults/99", 404)


def test_limits_change(asker: Asker) -> None:
    asker.ask("PUT", "/limits", json=[{"requests_per_minute": 1}])
    assert asker.ask("GET", "/limits")[0]["requests_per_minute"] == 1
    assert [asker.chat(), asker.chat()] == [200, 429]
    asker.ask("PUT", "/limits", json=[])
    assert asker.chat() == 200


def test_time_changes(asker: Asker) -> None:
    before = asker.ask("GET", "/clock")
    after = asker.ask("POST", "/clock", json={"advance_seconds": 3_600, "speed": 10})
    assert after["now"] - before["now"] >= 3_600
    assert after["speed"] == 10
    latency = asker.ask("PUT", "/latency", json={"kind": "lognormal", "seconds": 0.01})
    assert latency["kind"] == asker.ask("GET", "/latency")["kind"] == "lognormal"
    times = asker.ask("PUT", "/batch_times", json={"validating_seconds": 5})
    assert times["validating_seconds"] == 5
    assert asker.ask("GET", "/batch_times") == times


def test_it_begins_anew(asker: Asker) -> None:
    asker.chat()
    asker.ask("POST", "/faults", 201, json={"kind": "status"})
    assert asker.ask("POST", "/reset") == {"ok": True}
    assert asker.ask("GET", "/faults") == []
    assert asker.ask("GET", "/books")["totals"]["requests"] == 0
    assert asker.chat() == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "reason"),
    [
        ("POST", "/faults", {"kind": "nonsense"}, "kind: "),
        ("POST", "/faults", {"kind": "hang", "rate": 2}, "rate: "),
        ("PUT", "/limits", [{"requests_per_minute": 0}], "0.requests_per_minute: "),
        ("PUT", "/limits", {}, "body: "),
        ("PUT", "/latency", {"second": 1}, "second: "),
        ("POST", "/clock", {"advance_seconds": -1}, "advance_seconds: "),
        ("POST", "/clock", {"speed": 0}, "speed: "),
        ("PUT", "/batch_times", {"slices": 0}, "slices: "),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_its_field(
    asker: Asker, method: str, path: str, body: Any, reason: str
) -> None:
    assert reason in asker.refused(method, path, json=body)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/books/records?limit=x", "limit is a whole number"),
        ("/books/records?fault=x", "fault is one of"),
        ("/books/windows?seconds=0", "seconds is a number above 0"),
        ("/books/windows?seconds=x", "seconds is a number above 0"),
        ("/books/windows?measure=x", "measure is one of"),
        ("/books/records?promt=x", "no 'promt' to choose by"),
        ("/books/records?fate=nope", "fate is one of"),
        ("/books/records?executed=yes", "executed is true or false"),
        ("/books?provider=opnai", "provider is one of"),
        ("/books?bad=1", "no 'bad' to choose by"),
    ],
)
def test_a_question_that_cannot_be_is_refused(asker: Asker, path: str, reason: str) -> None:
    assert reason in asker.refused("GET", path)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"null"])
def test_a_body_that_is_no_json_is_refused(asker: Asker, body: bytes) -> None:
    for method, path in (("POST", "/faults"), ("PUT", "/limits"), ("POST", "/clock")):
        assert asker.refused(method, path, content=body)


def test_an_address_that_is_none_names_those_that_are(asker: Asker) -> None:
    assert "GET /_sim/books" in asker.refused("GET", "/none", 404)
    assert "knows no DELETE" in asker.refused("DELETE", "/books", 405)
