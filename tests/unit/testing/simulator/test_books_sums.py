"""Sums over calls: whatever is kept, they tell what was accepted, answered and billed."""

from __future__ import annotations

import gc
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator.books import Books, CallRecord, Fate, Keep, Scope, Sums
from batch_llm.testing.simulator.books.books import GRAIN_SECONDS, WINDOW_SECONDS
from batch_llm.testing.simulator.books.windows import Spent, Windows
from batch_llm.testing.simulator.call import ModelCall, Usage
from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable

BOTH: tuple[Keep, Keep] = ("all", "sums")


class HandClock(Clock):
    """Stands still, but for what the test moves it by."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def now(self) -> float:
        return 1_763_800_000.0 + self.passed


def _call(**changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "openai",
        "operation": "responses",
        "model": "gpt-5",
        "key": "k",
        "messages": [("user", "hello")],
        "identity": b"1",
    }
    return ModelCall(**{**fields, **changes})


def _enter(
    books: Books,
    fate: Fate,
    status: int = 200,
    usage: Usage | None = None,
    fault: FaultKind | None = None,
    **changes: Any,
) -> CallRecord:
    record = books.open(_call(**changes))
    record.fault = fault
    if usage is not None:
        books.execute(record, usage)
    books.close(record, fate, status)
    return record


def _books(keep: Keep) -> Books:
    books = Books(HandClock(), keep)
    _enter(books, "answered", 200, Usage(100, 10, 40, 7, 3))
    _enter(books, "lost", 0, Usage(50, 5), fault=FaultKind.DROPPED)
    _enter(books, "limited", 429)
    _enter(books, "failed", 503, fault=FaultKind.STATUS)
    _enter(books, "failed", 503, fault=FaultKind.STATUS)
    _enter(books, "failed", 0, fault=FaultKind.RESET_BEFORE)
    _enter(books, "answered", 200, Usage(1, 1), provider="anthropic", model="claude-none")
    _enter(books, "answered", 200, Usage(20, 2), lane="batch", custom_id="a")
    books.open(_call(key="other"))
    return books


@pytest.mark.parametrize("keep", BOTH)
def test_totals(keep: Keep) -> None:
    totals = _books(keep).totals()
    assert totals.usd == pytest.approx(
        (103 * 1.25 + 7 * 1.25 + 40 * 0.125 + 15 * 10) / 1e6 + (20 * 0.625 + 2 * 5) / 1e6
    )
    totals.usd = 0
    assert totals == Sums(
        requests=9,
        executed=4,
        answered=3,
        lost=1,
        limited=1,
        failed=3,
        failed_by_status={503: 2, 0: 1},
        by_fault={FaultKind.DROPPED: 1, FaultKind.STATUS: 2, FaultKind.RESET_BEFORE: 1},
        input_tokens=171,
        cached_input_tokens=40,
        cache_write_tokens=7,
        output_tokens=18,
        reasoning_tokens=3,
        unpriced=1,
    )
    assert (totals.open, totals.total_tokens) == (1, 189)


@pytest.mark.parametrize("keep", BOTH)
@pytest.mark.parametrize(
    ("scope", "requests"),
    [
        ({"provider": "openai"}, 8),
        ({"provider": "anthropic"}, 1),
        ({"model": "gpt-5"}, 8),
        ({"key": "other"}, 1),
        ({"lane": "batch"}, 1),
        ({"operation": "responses"}, 9),
        ({"operation": "embeddings"}, 0),
        ({"lane": "live", "key": "k", "provider": "openai"}, 6),
    ],
)
def test_totals_of_a_part(keep: Keep, scope: Any, requests: int) -> None:
    assert _books(keep).totals(**scope).requests == requests


@pytest.mark.parametrize("keep", BOTH)
def test_sums_by_scope_are_copies(keep: Keep) -> None:
    books = _books(keep)
    sums = books.sums()
    assert set(sums) == {
        Scope("openai", "gpt-5", "k", "live", "responses"),
        Scope("openai", "gpt-5", "k", "batch", "responses"),
        Scope("openai", "gpt-5", "other", "live", "responses"),
        Scope("anthropic", "claude-none", "k", "live", "responses"),
    }
    for each in sums.values():
        each.requests = 1_000
        each.failed_by_status[1] = 1
    assert books.totals().requests == 9
    assert 1 not in books.totals().failed_by_status


def test_a_record_is_billed_at_the_price_of_its_lane() -> None:
    books = Books(HandClock())
    usage = Usage(1_000, 100)
    live = _enter(books, "answered", usage=usage, model="gpt-5-2025-08-07")
    batch = _enter(books, "answered", usage=usage, lane="batch", custom_id="a")
    embedded = _enter(books, "answered", usage=Usage(1_000), model="text-embedding-3-small")
    unknown = _enter(books, "answered", usage=usage, model="gpt-none")
    failed = _enter(books, "failed", 500)
    assert live.usd == pytest.approx(0.00225)
    assert batch.usd == pytest.approx(0.001125)
    assert embedded.usd == pytest.approx(0.00002)
    assert unknown.usd is None
    assert failed.usd == 0


def test_the_first_end_of_a_call_counts() -> None:
    books = Books(HandClock())
    record = _enter(books, "lost", 0, Usage(1, 1))
    books.close(record, "answered", 200)
    assert (record.fate, record.status) == ("lost", 0)
    assert (books.totals().lost, books.totals().answered) == (1, 0)


@pytest.mark.parametrize("keep", BOTH)
def test_requests_of_all_endpoints_are_counted(keep: Keep) -> None:
    books = Books(HandClock(), keep)
    for status in (200, 200, 404, 0):
        books.note_request("openai", "files.create", status)
    books.note_request("gemini", "files.get", 500)
    books.note_request("gemini", "files.list", 0)
    assert books.requests_by_route() == {
        ("openai", "files.create"): {200: 2, 404: 1, 0: 1},
        ("gemini", "files.get"): {500: 1},
        ("gemini", "files.list"): {0: 1},
    }
    assert books.routes_answered() == {("openai", "files.create")}


@pytest.mark.parametrize("keep", BOTH)
def test_things_made_are_noted_and_twice_made_ones_are_found(keep: Keep) -> None:
    clock = HandClock()
    books = Books(clock, keep)
    books.note_create("openai", "file", "file-1", b"x")
    clock.passed = 5
    books.note_create("openai", "batch", "batch_1", b"x")
    books.note_create("anthropic", "batch", "msgbatch_1", b"x")
    books.note_create("openai", "batch", "batch_2", b"x")
    books.note_create("openai", "batch", "batch_3", b"y")
    assert [made.name for made in books.creates()][:2] == ["file-1", "batch_1"]
    assert [made.name for made in books.creates("batch")][:2] == ["batch_1", "msgbatch_1"]
    assert books.creates("cache") == []
    assert books.creates()[1].created_at - books.creates()[0].created_at == 5
    (twice,) = books.repeated_creates("batch")
    assert [made.name for made in twice] == ["batch_1", "batch_2"]
    assert books.repeated_creates("file") == []


@pytest.mark.parametrize("keep", BOTH)
def test_all_of_it_as_json(keep: Keep) -> None:
    books = _books(keep)
    books.note_request("openai", "files.create", 200)
    books.note_create("openai", "file", "file-1", b"\xff")
    told = json.loads(json.dumps(books.to_dict()))
    assert told["keep"] == keep
    assert told["totals"]["failed_by_status"] == {"503": 2, "0": 1}
    assert told["totals"]["by_fault"] == {"dropped": 1, "status": 2, "reset_before": 1}
    assert (told["totals"]["open"], told["totals"]["total_tokens"]) == (1, 189)
    assert sum(scope["requests"] for scope in told["scopes"]) == 9
    assert told["scopes"][0]["model"] == "gpt-5"
    assert told["requests"] == [
        {"provider": "openai", "route": "files.create", "status": 200, "count": 1}
    ]
    assert told["creates"][0]["identity"] == "ff"
    assert told["largest_starts_of_60_seconds"] == 8
    assert told["largest_tokens_of_60_seconds"] == 167


def test_books_of_sums_say_what_they_do_not_know() -> None:
    books = _books("sums")
    questions: list[Callable[[], object]] = [
        lambda: books.records,
        lambda: books.select(provider="openai"),
        lambda: books.executions(prompt="hello"),
        books.repeated,
    ]
    for ask in questions:
        with pytest.raises(ConfigurationError, match="books='all'"):
            ask()


def test_books_of_sums_do_not_grow_with_the_calls() -> None:
    clock = HandClock()
    books = Books(clock, "sums")

    def calls(count: int) -> int:
        for number in range(count):
            clock.passed += 1
            _enter(books, "answered", 200, Usage(10, 1), identity=number.to_bytes(4, "big"))
            _enter(books, "failed", 500, fault=FaultKind.STATUS, lane="batch", custom_id="a")
            books.note_request("openai", "responses", 200)
        gc.collect()
        return sum(map(_size, (books._sums, books._windows, books._all_windows, books._requests)))

    calls(100)
    few = len(gc.get_objects())
    held = calls(100)
    assert calls(10_000) < held + 50, "Python keeps small numbers once, and large ones each"
    assert len(gc.get_objects()) - few < 100
    assert books._records == []


@pytest.mark.parametrize("pause", [1e-6, 0.01, 0.249, 0.25, 10])
def test_windows_hold_no_more_however_fast_calls_come(pause: float) -> None:
    """At 300,000 calls in a minute too, and whatever the speed of the clock."""
    windows = Windows(WINDOW_SECONDS, GRAIN_SECONDS)
    held = 0
    for number in range(300_000 if pause < 0.01 else 30_000):
        moment = 1_763_800_000.0 + number * pause
        windows.started.add(moment)
        windows.executed.add(Spent(moment, 10, 1))
        held = max(held, len(windows))
    assert held <= 2 * (WINDOW_SECONDS / GRAIN_SECONDS + 2)


def test_books_of_sums_use_windows_that_hold_no_more() -> None:
    clock = HandClock()
    books = Books(clock, "sums")
    for _ in range(20_000):
        clock.passed += 0.01
        _enter(books, "answered", 200, Usage(10, 1))
    (windows,) = books._windows.values()
    assert max(len(windows), len(books._all_windows)) <= 2 * (WINDOW_SECONDS / GRAIN_SECONDS + 2)
    assert 6_000 <= books.largest_starts() <= 6_025


@given(
    pauses=st.lists(st.sampled_from([0, 1 / 64, 1 / 8, 1 / 4, 1, 20]), max_size=200),
    tokens=st.integers(0, 9),
)
def test_books_of_sums_never_tell_too_little(pauses: list[float], tokens: int) -> None:
    clocks = {keep: HandClock() for keep in BOTH}
    exact, rough = (Books(clocks[keep], keep) for keep in BOTH)
    for pause in pauses:
        for books, clock in ((exact, clocks["all"]), (rough, clocks["sums"])):
            clock.passed += pause
            _enter(books, "answered", 200, Usage(tokens, 1))
    longer = WINDOW_SECONDS + GRAIN_SECONDS
    assert exact.largest_starts() <= rough.largest_starts() <= exact.largest_starts(longer)
    assert exact.largest_tokens() <= rough.largest_tokens() <= exact.largest_tokens(longer)
    assert rough.largest_starts(accepted_only=True) == rough.largest_starts()


def _size(thing: object) -> int:
    """Return how many objects something holds."""
    found: dict[int, object] = {}
    rest = [thing]
    while rest:
        one = rest.pop()
        if id(one) not in found and not isinstance(one, type):
            found[id(one)] = one
            rest.extend(gc.get_referents(one))
    return len(found)


@pytest.mark.parametrize("keep", BOTH)
def test_books_may_be_read_while_they_are_written(keep: Keep) -> None:
    books = Books(Clock(), keep)
    stop = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            while not stop.is_set():
                told = books.totals()
                assert told.executed <= told.requests
                assert told.input_tokens == told.executed * 10
                books.to_dict()
        except BaseException as error:
            failures.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for number in range(2_000):
        _enter(books, "answered", 200, Usage(10, 1), model=f"m{number % 300}")
        books.note_request("openai", f"route {number}", 200)
        books.note_create("openai", "file", str(number), b"")
    stop.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert books.totals().answered == 2_000
