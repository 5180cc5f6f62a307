"""One call's way through the provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.exceptions import ConfigurationError, InputError
from batch_llm.testing.simulator import (
    Answer,
    Fault,
    FaultKind,
    Latency,
    Limit,
    ModelCall,
    SimulatorSettings,
)
from batch_llm.testing.simulator.exchange import Response, json_response
from batch_llm.testing.simulator.serving import Outcome, respond
from batch_llm.testing.simulator.world import World

if TYPE_CHECKING:
    from batch_llm.testing.simulator.limits import Admission

WORDS = "one two three four five six"  # 27 bytes: 7 tokens


class PlainDialect:
    """Says the status and the message, and nothing else."""

    def error(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> Response:
        return json_response([message, error_type, retry_after_seconds], status=status)

    def limited(self, outcome: Outcome) -> Response:
        return self.error(429, outcome.admission.exceeded)

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        return {"x-left": str(len(admission.quotas))}

    def error_in_200(self, outcome: Outcome) -> Response:
        return json_response("error", status=200)


class Says:
    """Answers with one answer, or fails."""

    def __init__(self, answer: Answer | Exception) -> None:
        self.said = answer

    async def answer(self, call: ModelCall) -> Answer:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def _world(answer: Answer | Exception | str = WORDS, **settings: Any) -> World:
    said = Answer(answer) if isinstance(answer, str) else answer
    return World(SimulatorSettings.model_validate(settings), Says(said))


def _call(**changes: Any) -> ModelCall:
    fields: dict[str, Any] = {
        "provider": "openai",
        "operation": "chat.completions",
        "model": "gpt-5",
        "key": "k",
        "messages": [("user", "hello")],
        "input_tokens": 6,
        "identity": b"1",
    }
    return ModelCall(**{**fields, **changes})


async def _outcome(world: World, call: ModelCall) -> tuple[Response, list[Outcome]]:
    executed: list[Outcome] = []

    def encode(outcome: Outcome) -> Response:
        executed.append(outcome)
        return json_response(outcome.said.text)

    return await respond(world, call, PlainDialect(), encode), executed


async def _run(world: World, **changes: Any) -> tuple[Response, Outcome]:
    response, executed = await _outcome(world, _call(**changes))
    return response, executed[0]


async def test_a_call_is_answered_and_billed() -> None:
    world = _world()
    response, outcome = await _run(world)
    assert response.body == f'"{WORDS}"'.encode()
    assert (outcome.usage.input_tokens, outcome.usage.output_tokens) == (6, 7)
    assert outcome.said.ending == "stop"
    assert response.record is not None
    assert response.record.executed
    assert response.record.usage == outcome.usage
    assert response.fault is None


@pytest.mark.parametrize(
    ("limit", "text", "ending"),
    [(7, WORDS, "stop"), (6, WORDS[:24], "length"), (1, "one ", "length"), (0, "", "length")],
)
async def test_an_answer_stops_at_the_limit(limit: int, text: str, ending: str) -> None:
    _, outcome = await _run(_world(), max_output_tokens=limit)
    assert (outcome.said.text, outcome.said.ending) == (text, ending)
    assert outcome.usage.output_tokens == min(limit, 7)


async def test_reasoning_counts_towards_the_limit() -> None:
    world = _world(Answer(WORDS, reasoning_tokens=5))
    _, outcome = await _run(world)
    assert (outcome.usage.output_tokens, outcome.usage.reasoning_tokens) == (12, 5)
    _, outcome = await _run(world, max_output_tokens=6)
    assert (outcome.said.text, outcome.said.ending) == ("one ", "length")
    assert (outcome.usage.output_tokens, outcome.usage.reasoning_tokens) == (6, 5)
    _, outcome = await _run(world, max_output_tokens=3)
    assert (outcome.said.text, outcome.usage.reasoning_tokens) == ("", 3)


async def test_an_answer_stops_at_the_first_stop() -> None:
    _, outcome = await _run(_world(), stop=("five", "two", ""))
    assert (outcome.said.text, outcome.said.ending) == ("one ", "stop_sequence")


async def test_tokens_that_the_source_counted_are_billed() -> None:
    _, outcome = await _run(_world(Answer("x", output_tokens=40)))
    assert outcome.usage.output_tokens == 40


async def test_cached_tokens_are_billed_as_such() -> None:
    _, outcome = await _run(_world(), cached_input_tokens=4, cache_write_tokens=1)
    assert (outcome.usage.cached_input_tokens, outcome.usage.cache_write_tokens) == (4, 1)


@pytest.mark.parametrize(
    ("kind", "ending", "text"),
    [
        (FaultKind.REFUSAL, "refusal", "I cannot help with that."),
        (FaultKind.SAFETY, "safety", ""),
        (FaultKind.LENGTH, "length", "one two thre"),
    ],
)
async def test_faults_of_the_answer(kind: FaultKind, ending: str, text: str) -> None:
    response, outcome = await _run(_world(faults=[Fault(kind=kind)]))
    assert (outcome.said.ending, outcome.said.text) == (ending, text)
    assert response.record is not None
    assert response.record.executed
    assert response.record.fault is kind


async def test_an_empty_answer_is_the_encoders() -> None:
    _, outcome = await _run(_world(faults=[Fault(kind=FaultKind.EMPTY)]))
    assert outcome.has(FaultKind.EMPTY)
    assert outcome.usage.output_tokens == 7, "it is billed all the same"


async def test_an_error_in_a_200_is_billed() -> None:
    response, executed = await _outcome(
        _world(faults=[Fault(kind=FaultKind.ERROR_IN_200)]), _call()
    )
    assert (response.status, response.body, executed) == (200, b'"error"', [])
    assert response.record is not None
    assert response.record.executed


async def test_a_status_is_said_in_the_dialect_and_nothing_is_executed() -> None:
    fault = Fault(kind=FaultKind.STATUS, status=529, error_type="busy", retry_after_seconds=3)
    response, executed = await _outcome(_world(faults=[fault]), _call())
    assert (response.status, response.body) == (529, b'[null,"busy",3.0]')
    assert executed == []
    assert response.record is not None
    assert not response.record.executed


@pytest.mark.parametrize("kind", [FaultKind.REFUSED, FaultKind.RESET_BEFORE, FaultKind.HANG])
async def test_a_connection_that_fails_before_executes_nothing(kind: FaultKind) -> None:
    response, executed = await _outcome(_world(faults=[Fault(kind=kind)]), _call())
    assert response.fault is not None
    assert response.fault.kind is kind
    assert executed == []


@pytest.mark.parametrize("kind", [FaultKind.DROPPED, FaultKind.RESET_IN_BODY])
async def test_a_connection_that_fails_after_executes_and_bills(kind: FaultKind) -> None:
    response, outcome = await _run(_world(faults=[Fault(kind=kind)]))
    assert response.fault is not None
    assert response.fault.kind is kind
    assert outcome.record.executed


async def test_a_refused_call_is_not_executed_and_hits_no_fault_of_the_answer() -> None:
    world = _world(limits=[Limit(requests_per_minute=1)], faults=[Fault(kind=FaultKind.REFUSAL)])
    await _run(world)
    response, executed = await _outcome(world, _call())
    assert (response.status, executed) == (429, [])
    assert response.headers["x-left"] != "0"
    assert response.record is not None
    assert (response.record.executed, response.record.fault) == (False, None)


async def test_answers_that_fail_are_the_providers_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.CRITICAL):
        response, executed = await _outcome(_world(KeyError("missing")), _call())
    assert (response.status, executed) == (500, [])
    assert b"KeyError" in response.body
    assert response.record is not None
    assert not response.record.executed


async def test_what_a_limit_refuses_does_not_change_what_comes_after() -> None:
    world = _world(limits=[Limit(requests_per_minute=1)])
    await _run(world)
    for _ in range(3):
        response, _ = await _outcome(world, _call())
        assert response.status == 429
    world.clock.advance(60)
    _, outcome = await _run(world)
    assert outcome.call.occurrence == 2


async def test_a_scripted_fault_waits_for_a_call_that_is_let_in() -> None:
    fault = Fault(kind=FaultKind.DROPPED, calls=(2,))
    world = _world(limits=[Limit(requests_per_minute=1)], faults=[fault])
    await _run(world)
    response, _ = await _outcome(world, _call())
    assert response.status == 429
    world.clock.advance(60)
    response, _ = await _run(world)
    assert response.fault is fault


async def test_a_status_tells_what_is_left_and_gives_back_the_tokens() -> None:
    fault = Fault(kind=FaultKind.STATUS, times=1)
    world = _world(limits=[Limit(tokens_per_minute=20)], faults=[fault])
    response, _ = await _outcome(world, _call(max_output_tokens=14))
    assert response.status == 500
    assert response.headers["x-left"] != "0"
    response, _ = await _run(world, max_output_tokens=14)
    assert response.status == 200


async def test_a_request_that_no_answer_can_fit_is_refused() -> None:
    response, executed = await _outcome(_world(InputError("No value fits.")), _call())
    assert (response.status, response.body[:17], executed) == (400, b'["No value fits."', [])


async def test_a_live_call_takes_its_time_and_a_line_of_a_batch_does_not() -> None:
    world = _world(speed=10_000, latency=Latency(seconds=100, seconds_per_output_token=10))
    start = world.clock.now()
    await _run(world)
    live = world.clock.now() - start
    assert live >= 100 + 70
    world.clock.set_speed(0.001)
    await _run(world, lane="batch", custom_id="a")


async def test_a_line_of_a_batch_passes_all_limits() -> None:
    world = _world(limits=[Limit(requests_per_minute=1)])
    for _ in range(3):
        response, _ = await _run(world, lane="batch", custom_id="a")
        assert response.status == 200


async def test_a_call_that_broke_is_not_left_open() -> None:
    world = _world()

    def encode(outcome: Outcome) -> Response:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await respond(world, _call(), PlainDialect(), encode)
    with pytest.raises(ConfigurationError):
        await _run(world, headers={"x-sim-fault": "nonsense"})
    assert [(record.fate, record.status) for record in world.books.records] == [
        ("lost", 500),
        ("failed", 500),
    ]


@pytest.mark.parametrize("again", [1, 5])
async def test_each_sight_of_a_request_is_counted(again: int) -> None:
    world = _world()
    seen = []
    for _ in range(again):
        _, outcome = await _run(world)
        seen.append(outcome.call.occurrence)
    assert seen == list(range(1, again + 1))
