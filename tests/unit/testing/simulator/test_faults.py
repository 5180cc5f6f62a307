"""Which request meets which fault."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import Fault, FaultKind, ModelCall, fault_from_text, mixed_faults
from batch_llm.testing.simulator.chance import Chance
from batch_llm.testing.simulator.faults import (
    BEFORE,
    OF_ANSWER,
    OF_BATCH,
    OF_TRANSPORT,
    FaultPlan,
)


def _call(prompt: str = "hello", number: int = 0, **changes: object) -> ModelCall:
    fields: dict[str, object] = {
        "provider": "openai",
        "operation": "chat.completions",
        "model": "gpt-5",
        "key": "k",
        "messages": [("user", prompt)],
        "identity": number.to_bytes(16, "big"),
    }
    return ModelCall(**{**fields, **changes})  # type: ignore[arg-type]


def _plan(*faults: Fault) -> FaultPlan:
    plan = FaultPlan(Chance(1))
    for fault in faults:
        plan.add(fault)
    return plan


def test_every_kind_is_of_one_place() -> None:
    places = [BEFORE, OF_TRANSPORT, OF_ANSWER, OF_BATCH, {FaultKind.STALE_LIST}]
    assert sorted(kind for place in places for kind in place) == sorted(FaultKind)


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ({"provider": "openai"}, True),
        ({"provider": "gemini"}, False),
        ({"operation": "chat.completions"}, True),
        ({"operation": "responses"}, False),
        ({"model": "gpt-5"}, True),
        ({"model": "gpt-4o"}, False),
        ({"key": "k"}, True),
        ({"key": "other"}, False),
        ({"lane": "live"}, True),
        ({"lane": "batch"}, False),
        ({"custom_id": "a"}, False),
        ({"prompt_contains": "ell"}, True),
        ({"prompt_contains": "Ell"}, False),
        ({"provider": "openai", "prompt_contains": "x"}, False),
    ],
)
def test_a_fault_applies_where_all_that_it_names_is_true(names: dict[str, str], fits: bool) -> None:
    fault = Fault.model_validate({"kind": "dropped", **names})
    assert (_plan(fault).for_call(_call()) is fault) == fits


def test_the_system_prompt_is_part_of_the_prompt() -> None:
    fault = Fault(kind=FaultKind.REFUSAL, prompt_contains="be brief")
    assert _plan(fault).for_call(_call(system="Please be brief.")) is fault


def test_the_first_fault_that_falls_wins() -> None:
    rare = Fault(kind=FaultKind.STATUS, rate=0.0)
    first = Fault(kind=FaultKind.DROPPED)
    second = Fault(kind=FaultKind.HANG)
    assert _plan(rare, first, second).for_call(_call()) is first


def test_a_rate_hits_its_share_and_the_same_calls_in_any_order() -> None:
    fault = Fault(kind=FaultKind.DROPPED, rate=0.2)
    forward, backward = _plan(fault), _plan(fault)
    numbers = range(5_000)
    hit = {n for n in numbers if forward.for_call(_call(number=n)) is not None}
    again = {n for n in reversed(numbers) if backward.for_call(_call(number=n)) is not None}
    assert hit == again
    assert 900 < len(hit) < 1_100


def test_a_second_try_draws_anew() -> None:
    plan = _plan(Fault(kind=FaultKind.DROPPED, rate=0.5))
    draws = {plan.for_call(_call(occurrence=occurrence)) is not None for occurrence in range(1, 50)}
    assert draws == {True, False}


def test_a_script_names_the_calls() -> None:
    plan = _plan(Fault(kind=FaultKind.STATUS, calls=(2, 4)))
    assert [plan.for_call(_call()) is not None for _ in range(5)] == [
        False,
        True,
        False,
        True,
        False,
    ]


def test_a_script_counts_only_the_calls_that_fit() -> None:
    plan = _plan(Fault(kind=FaultKind.STATUS, calls=(1,), prompt_contains="b"))
    assert plan.for_call(_call("a")) is None
    assert plan.for_call(_call("b")) is not None


def test_a_script_counts_calls_that_meet_another_fault_too() -> None:
    first = Fault(kind=FaultKind.STATUS, status=503, calls=(1, 2))
    third = Fault(kind=FaultKind.STATUS, status=418, calls=(3,))
    plan = _plan(first, third)
    assert [plan.for_call(_call()) for _ in range(4)] == [first, first, third, None]
    plan = _plan(third)
    asking = _call(headers={"x-sim-fault": "hang"})
    kinds = [plan.for_call(call) for call in (asking, asking, _call())]
    assert kinds[2] is third


def test_times_bounds_how_often_it_happens() -> None:
    plan = _plan(Fault(kind=FaultKind.STATUS, times=2))
    assert sum(plan.for_call(_call()) is not None for _ in range(5)) == 2
    assert [happened for _, _, happened in plan.in_force()] == [2]


def test_faults_are_taken_out_of_force() -> None:
    plan = FaultPlan(Chance(1))
    number = plan.add(Fault(kind=FaultKind.STATUS))
    assert plan.remove(number)
    assert not plan.remove(number)
    assert plan.for_call(_call()) is None
    plan.add(Fault(kind=FaultKind.STATUS))
    plan.clear()
    assert plan.in_force() == []


def test_a_request_asks_for_a_fault_by_its_header() -> None:
    asked = _plan().for_call(_call(headers={"x-sim-fault": "dropped"}))
    assert asked is not None
    assert asked.kind is FaultKind.DROPPED


def test_a_fault_asked_for_may_have_a_rate() -> None:
    plan = _plan()
    calls = [_call(number=n, headers={"x-sim-fault": "hang:0.3"}) for n in range(1_000)]
    assert 250 < sum(plan.for_call(call) is not None for call in calls) < 350


def test_a_fault_of_a_batch_asked_for_may_have_a_rate() -> None:
    plan = _plan()
    headers = {"x-sim-fault": "batch_failed:0.3"}
    met = [plan.for_batch(_call(), headers, str(n).encode()) for n in range(1_000)]
    assert 250 < sum(map(bool, met)) < 350


def test_a_request_that_calls_no_model_meets_the_faults_of_requests_only() -> None:
    plan = _plan(
        Fault(kind=FaultKind.REFUSAL),
        Fault(kind=FaultKind.STALE_LIST),
        Fault(kind=FaultKind.BATCH_FAILED),
        Fault(kind=FaultKind.DROPPED, model="gpt-5"),
    )
    assert plan.for_request("openai", "files.create", "k", {}, b"") is None
    dropped = Fault(kind=FaultKind.DROPPED, operation="files.create")
    plan.add(dropped)
    assert plan.for_request("openai", "files.create", "k", {}, b"") is dropped
    assert plan.for_request("openai", "files.list", "k", {}, b"") is None


def test_a_stale_list_is_drawn_by_lists_alone() -> None:
    stale = Fault(kind=FaultKind.STALE_LIST, operation="batches.list", seconds=5)
    plan = _plan(stale)
    assert plan.for_list("openai", "batches.list", "k", {}, b"") is stale
    assert plan.for_list("openai", "files.list", "k", {}, b"") is None
    asked = plan.for_list("openai", "files.list", "k", {"x-sim-fault": "stale_list"}, b"")
    assert asked is not None
    assert plan.for_call(_call()) is None


def test_a_batch_meets_all_its_faults_at_once() -> None:
    missing = Fault(kind=FaultKind.BATCH_MISSING_LINES)
    shuffled = Fault(kind=FaultKind.BATCH_SHUFFLED, model="gpt-5")
    other = Fault(kind=FaultKind.BATCH_EXPIRED, model="gpt-4o")
    plan = _plan(missing, shuffled, other, Fault(kind=FaultKind.STATUS))
    assert plan.for_batch(_call(), {}, b"") == [missing, shuffled]
    asked = plan.for_batch(_call(), {"x-sim-fault": "batch_failed"}, b"")
    assert asked[0].kind is FaultKind.BATCH_FAILED


# --- as text -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("dropped", Fault(kind=FaultKind.DROPPED)),
        ("503", Fault(kind=FaultKind.STATUS, status=503)),
        ("529:0.25", Fault(kind=FaultKind.STATUS, status=529, rate=0.25)),
        (" hang:0.5 ", Fault(kind=FaultKind.HANG, rate=0.5)),
        (
            json.dumps({"kind": "slow_body", "seconds": 3}),
            Fault(kind=FaultKind.SLOW_BODY, seconds=3),
        ),
    ],
)
def test_a_fault_is_read_from_text(text: str, fault: Fault) -> None:
    assert fault_from_text(text) == fault


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("nonsense", "no such kind"),
        ("200", "status"),
        ("dropped:2", "rate"),
        ("dropped:x", "float"),
        ("{", "JSON"),
        ('{"a": ' + "[" * 3_000, "recursion"),
        ('{"kind": "hang", "seconds": 1e999}', "seconds"),
        ('{"kind": "hang", "secnds": 3}', "secnds"),
        ("", "no such kind"),
    ],
)
def test_a_text_that_is_no_fault_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(ConfigurationError, match=reason) as raised:
        fault_from_text(text)
    assert "reset_before" in str(raised.value), "the message lists the kinds"


def test_a_script_is_counted_from_1() -> None:
    with pytest.raises(ValidationError, match="counted from 1"):
        Fault(kind=FaultKind.STATUS, calls=(0,))


@given(rate=st.floats(0, 1))
def test_mixed_faults_hit_the_rate_that_was_asked_for(rate: float) -> None:
    missed = 1.0
    shares = []
    for fault in mixed_faults(rate):
        shares.append(missed * fault.rate)
        missed *= 1 - fault.rate
    assert sum(shares) == pytest.approx(rate, abs=1e-9)
    assert max(shares) - min(shares) < 1e-9, "each kind as often as the others"


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan")])
def test_a_rate_that_is_none_is_refused(rate: float) -> None:
    with pytest.raises(ConfigurationError, match="0 to 1"):
        mixed_faults(rate)
