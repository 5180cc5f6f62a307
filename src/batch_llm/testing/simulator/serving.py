"""One call's way through the provider: fault, limit, answer, time, bill."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from ...exceptions import InputError
from .call import Answer, Usage
from .exchange import Response
from .faults import BEFORE, OF_TRANSPORT, FaultKind
from .limits import Admission
from .tokens import count_text, cut_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from .answers import Answers
    from .books import CallRecord
    from .call import ModelCall
    from .faults import Fault
    from .world import World

logger = logging.getLogger("batch_llm.simulator")


@dataclass(slots=True)
class Outcome:
    """What became of a call.

    Attributes:
        call: what was asked.
        record: its entry in the books.
        answer: what the model said; None where it did not run.
        usage: tokens billed.
        fault: what went wrong on purpose.
        admission: what is left of the limits, or which one refused the call.
        error: a failure of the answers' source: status and text for the client.
    """

    call: ModelCall
    record: CallRecord
    answer: Answer | None = None
    usage: Usage = field(default_factory=Usage)
    fault: Fault | None = None
    admission: Admission = field(default_factory=Admission)
    error: tuple[int, str] | None = None

    @property
    def said(self) -> Answer:
        """The answer of a call that was executed."""
        assert self.answer is not None
        return self.answer

    def has(self, kind: FaultKind) -> bool:
        """Return whether this is what went wrong."""
        return self.fault is not None and self.fault.kind is kind


class Dialect(Protocol):
    """How one provider speaks, whatever the endpoint."""

    def error(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> Response:
        """Return an error; without a message it is the provider's usual one for the status."""
        ...

    def limited(self, outcome: Outcome) -> Response:
        """Return the 429 that says which limit was exceeded, and when to come again."""
        ...

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        """Return the headers that tell what is left."""
        ...

    def error_in_200(self, outcome: Outcome) -> Response:
        """Return a 200 whose body reports an error."""
        ...


async def respond(
    world: World,
    call: ModelCall,
    dialect: Dialect,
    encode: Callable[[Outcome], Response],
    answers: Answers | None = None,
) -> Response:
    """Serve a call, and return what goes back.

    Args:
        world: where it happens.
        call: what is asked; its identity and tokens are counted already.
        dialect: how errors are said.
        encode: makes the response of a call that was executed. It must mind the fault `EMPTY`,
            and all kinds of `Ending`.
        answers: what says the answer; None is the world's. Embeddings are made elsewhere.
    """
    outcome = Outcome(call, world.books.open(call))
    try:
        await _serve(world, outcome, answers or world.answers)
        response = _said(outcome, dialect, encode)
        response.headers.update(dialect.rate_headers(outcome.admission))
    except BaseException:
        # Whatever broke, the call is at an end, and the books must not keep it open.
        world.books.close(outcome.record, "lost" if outcome.record.executed else "failed", 500)
        raise
    response.record = outcome.record
    return response


def _said(outcome: Outcome, dialect: Dialect, encode: Callable[[Outcome], Response]) -> Response:
    fault = outcome.fault
    if outcome.error is not None:
        return dialect.error(*outcome.error)
    if outcome.admission.exceeded is not None:
        return dialect.limited(outcome)
    if fault is None:
        return encode(outcome)
    if fault.kind is FaultKind.STATUS:
        return dialect.error(
            fault.status,
            error_type=fault.error_type,
            retry_after_seconds=fault.retry_after_seconds,
        )
    if outcome.call.lane == "batch" and fault.kind in BEFORE | OF_TRANSPORT:
        # A line has no connection of the client's: what fails is the provider's own try.
        return dialect.error(503 if fault.kind in BEFORE else 500)
    if fault.kind in BEFORE:
        return Response(fault=fault)
    if fault.kind is FaultKind.ERROR_IN_200:
        return dialect.error_in_200(outcome)
    response = encode(outcome)
    if fault.kind in OF_TRANSPORT:
        response.fault = fault
    return response


async def _serve(world: World, outcome: Outcome, answers: Answers) -> None:
    call = outcome.call
    is_live = call.lane == "live"
    if is_live:
        outcome.admission = world.limits.admit(call)
        if outcome.admission.exceeded is not None:
            return
    # What a limit refuses meets no fault, and must not change which ones come after.
    call.occurrence = world.occurrences.next(call.identity)
    outcome.fault = world.faults.for_call(call)
    if outcome.fault is not None:
        outcome.record.fault = outcome.fault.kind
    if outcome.fault is None or outcome.fault.kind not in BEFORE:
        await _execute(world, outcome, answers)
    if is_live:
        outcome.admission = world.limits.settle(call, outcome.usage)


async def _execute(world: World, outcome: Outcome, answers: Answers) -> None:
    call = outcome.call
    try:
        answer = await answers.answer(call)
    except InputError as error:  # a schema that is none, or that nothing fits
        outcome.error = 400, str(error)
        return
    except Exception as error:  # a user's function, or a model behind it: the provider's 500
        logger.exception("The answer to a call of %s failed", call.model)
        outcome.error = 500, f"The simulator's answers failed: {type(error).__name__}: {error}"
        return
    outcome.answer = _ended(answer, outcome)
    outcome.usage = _usage_of(call, outcome.answer)
    world.books.execute(outcome.record, outcome.usage)
    if call.lane == "live":
        seconds = world.latency.draw(world.chance, call.subject, outcome.usage.output_tokens)
        await world.limits.serve(call, seconds)


def _ended(answer: Answer, outcome: Outcome) -> Answer:
    """Return the answer as it ends: at a stop, at the limit, or at a fault."""
    call = outcome.call
    if answer.vectors is not None:
        return answer
    if answer.ending in ("stop", "length", "stop_sequence"):
        answer = _stopped(answer, call)
    if outcome.has(FaultKind.REFUSAL):
        if call.provider == "gemini":  # it blocks the prompt: no word is said, and none is billed
            return Answer("", "refusal", output_tokens=0)
        return Answer("I cannot help with that.", "refusal")
    if outcome.has(FaultKind.SAFETY):
        return Answer("", "safety", output_tokens=0)
    if outcome.has(FaultKind.LENGTH):
        half = max(1, count_text(answer.text) // 2)
        return Answer(cut_text(answer.text, half), "length", answer.tool)
    return answer


def _stopped(answer: Answer, call: ModelCall) -> Answer:
    ends = [(at, text) for text in call.stop if text and (at := answer.text.find(text)) >= 0]
    if ends:
        at, found = min(ends)
        answer = Answer(
            answer.text[:at],
            "stop_sequence",
            answer.tool,
            reasoning_tokens=answer.reasoning_tokens,
            stopped_by=found,
        )
    most = call.max_output_tokens
    if most is not None and _counted(answer) > most:
        left = max(0, most - answer.reasoning_tokens)
        text = cut_text(answer.text, left)
        answer = Answer(
            text,
            "length",
            answer.tool,
            output_tokens=most,
            reasoning_tokens=min(answer.reasoning_tokens, most),
        )
    return answer


def _usage_of(call: ModelCall, answer: Answer) -> Usage:
    return Usage(
        call.input_tokens,
        _counted(answer) * call.choices,
        call.cached_input_tokens,
        call.cache_write_tokens,
        answer.reasoning_tokens * call.choices,
        call.hour_cache_write_tokens,
    )


def _counted(answer: Answer) -> int:
    """Return the tokens of an answer: as its source counts them, where it does."""
    if answer.output_tokens is not None:
        return answer.output_tokens
    text = 0 if answer.vectors is not None else count_text(answer.text)
    return text + answer.reasoning_tokens
