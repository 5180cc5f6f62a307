"""Single calls in the books: which, how often, and how many in any window of time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator.books import Books, Keep
from batch_llm.testing.simulator.call import ModelCall, Usage
from batch_llm.testing.simulator.clock import Clock
from batch_llm.testing.simulator.faults import FaultKind

BOTH: tuple[Keep, Keep] = ("all", "sums")


class HandClock(Clock):
    """Stands still, but for what the test moves it by. It begins at 0, where floats are exact."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0

    def now(self) -> float:
        return self.passed


def _call(prompt: str = "hello", **changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "openai",
        "operation": "responses",
        "model": "gpt-5",
        "key": "k",
        "messages": [("user", prompt), ("assistant", "yes")],
        "identity": prompt.encode(),
    }
    return ModelCall(**{**fields, **changes})


def _books() -> Books:
    clock = HandClock()
    books = Books(clock)
    for prompt, fate, usage in (
        ("a", "answered", Usage(5, 1)),
        ("b", "lost", Usage(6, 1)),
        ("b", "answered", Usage(6, 1)),
        ("c", "limited", None),
    ):
        clock.passed += 1
        record = books.open(_call(prompt))
        if usage is not None:
            books.execute(record, usage)
        books.close(record, fate, 200)  # type: ignore[arg-type]
    for name in ("1", "2", "2"):
        line = books.open(_call("same", lane="batch", custom_id=name, provider="anthropic"))
        books.execute(line, Usage(1, 1))
        books.close(line, "answered", 200)
    return books


def test_records_are_in_the_order_in_which_calls_came() -> None:
    records = _books().records
    assert [record.prompt for record in records] == ["a", "b", "b", "c", "same", "same", "same"]
    first = records[0]
    assert (first.started_at, first.executed_at, first.usage) == (1.0, 1.0, Usage(5, 1))
    assert (first.executed, records[3].executed) == (True, False)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, 7),
        ({"fate": "lost"}, 1),
        ({"provider": "anthropic"}, 3),
        ({"provider": "openai", "fate": "answered"}, 2),
        ({"custom_id": "2"}, 2),
        ({"custom_id": None}, 4),
        ({"prompt": "b"}, 2),
        ({"identity": b"c"}, 1),
        ({"executed": False}, 1),
        ({"lane": "batch", "fault": None}, 3),
        ({"fault": FaultKind.STATUS}, 0),
        ({"key": "other"}, 0),
    ],
)
def test_records_are_found_by_what_they_have(fields: Any, found: int) -> None:
    assert len(_books().select(**fields)) == found


def test_how_often_a_request_was_executed() -> None:
    books = _books()
    assert books.executions(prompt="a") == 1
    assert books.executions(identity=b"b") == 2
    assert books.executions(custom_id="2") == 2
    assert books.executions(prompt="c") == 0
    assert books.executions() == 6


def test_what_was_executed_more_than_once() -> None:
    books = _books()
    assert {key: len(records) for key, records in books.repeated().items()} == {
        b"b": 2,
        b"same": 3,
    }
    assert set(books.repeated(by="custom_id")) == {"2"}
    assert set(books.repeated(by="prompt")) == {"b", "same"}


def test_a_record_as_json() -> None:
    told = json.loads(json.dumps(_books().records[1].to_dict()))
    assert told["identity"] == b"b".hex()
    assert (told["fate"], told["prompt"], told["usage"]["input_tokens"]) == ("lost", "b", 6)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
@pytest.mark.parametrize("keep", BOTH)
def test_a_window_has_a_length(keep: Keep, seconds: float) -> None:
    books = _timed(keep, [(1, True, 10)])
    with pytest.raises(ConfigurationError):
        books.largest_starts(seconds)
    with pytest.raises(ConfigurationError):
        books.largest_tokens(seconds)


# --- windows of time -----------------------------------------------------------------------


def _timed(keep: Keep, calls: list[tuple[float, bool, int]], **changes: Any) -> Books:
    """Return books of calls, each (seconds since the one before, executed, input tokens)."""
    clock = HandClock()
    books = Books(clock, keep)
    for pause, executed, tokens in calls:
        clock.passed += pause
        record = books.open(_call(**changes))
        if executed:
            books.execute(record, Usage(tokens, 1))
        books.close(record, "answered" if executed else "limited", 200)
    return books


@pytest.mark.parametrize("keep", BOTH)
def test_a_window_is_half_open(keep: Keep) -> None:
    books = _timed(keep, [(0, True, 1), (30, True, 1), (30, True, 1), (29, True, 1)])
    assert books.largest_starts() == 3, "30 to 89; 0 and 60 are in no window together"
    assert _timed(keep, [(0, True, 1), (60, True, 1)]).largest_starts() == 1
    assert _timed(keep, [(0, True, 1), (59.5, True, 1)]).largest_starts() == 2


@pytest.mark.parametrize("keep", BOTH)
def test_a_window_of_accepted_calls_leaves_out_those_that_did_not_run(keep: Keep) -> None:
    books = _timed(keep, [(1, True, 10), (1, False, 0), (1, True, 20), (1, False, 0)])
    assert books.largest_starts() == 4
    assert books.largest_starts(accepted_only=True) == 2
    assert books.largest_tokens() == 32
    assert books.largest_tokens(measure="input_tokens") == 30
    assert books.largest_tokens(measure="output_tokens") == 2


@pytest.mark.parametrize("keep", BOTH)
def test_a_window_counts_no_lines_of_batches(keep: Keep) -> None:
    books = _timed(keep, [(1, True, 10)] * 5, lane="batch", custom_id="a")
    assert (books.largest_starts(), books.largest_tokens()) == (0, 0)
    assert books.largest_starts(accepted_only=True) == 0


@pytest.mark.parametrize("keep", BOTH)
def test_windows_of_one_key_and_model_and_of_all(keep: Keep) -> None:
    books = Books(HandClock(), keep)
    for key, model in (("a", "m"), ("a", "m"), ("b", "m"), ("b", "n")):
        books.execute(books.open(_call(key=key, model=model)), Usage(1, 0))
    assert books.largest_starts() == 4
    assert books.largest_starts(provider="openai") == 4
    assert books.largest_starts(key="a") == 2
    assert books.largest_starts(key="b", model="n") == 1
    assert books.largest_starts(key="c") == 0
    assert books.largest_tokens(key="a") == 2


def test_sums_know_no_other_windows() -> None:
    books = Books(HandClock(), "sums")
    for key in "abc":
        books.open(_call(key=key, model="n" if key == "c" else "m"))
    with pytest.raises(ConfigurationError, match="windows of 60 seconds"):
        books.largest_starts(30)
    with pytest.raises(ConfigurationError, match="one provider, model and key"):
        books.largest_tokens(model="m")


@given(
    calls=st.lists(
        st.tuples(
            st.integers(0, 60).map(lambda halves: halves / 2), st.booleans(), st.integers(0, 9)
        ),
        max_size=60,
    ),
    seconds=st.sampled_from([0.5, 7, 60]),
)
def test_windows_are_the_largest_that_there_are(
    calls: list[tuple[float, bool, int]], seconds: float
) -> None:
    moments, moment = [], 0.0
    for pause, _, _ in calls:
        moment += pause
        moments.append(moment)

    def most(counted: list[int]) -> int:
        spans = [
            sum(c for m, c in zip(moments, counted) if start <= m < start + seconds)
            for start in moments
        ]
        return max(spans, default=0)

    expected = (
        most([1 for _ in calls]),
        most([int(executed) for _, executed, _ in calls]),
        most([executed * (tokens + 1) for _, executed, tokens in calls]),
    )
    for keep in BOTH if seconds == 60 else BOTH[:1]:
        books = _timed(keep, calls)
        told = (
            books.largest_starts(seconds),
            books.largest_starts(seconds, accepted_only=True),
            books.largest_tokens(seconds),
        )
        assert told == expected, keep
