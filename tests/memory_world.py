"""A `MockBatchClient` that is driven as the simulator is, so that both keep to one suite."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from batch_llm.exceptions import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    ProviderError,
    RateLimitedError,
    ServerError,
)
from batch_llm.providers import MockBatchClient, Retries
from batch_llm.providers.mock_answers import MockAnswer, echo
from batch_llm.testing.simulator import Fault, FaultKind
from batch_llm.testing.simulator.answers.values import FittingValues
from batch_llm.wire.batch_item import BatchAnswer, BatchRequestLine
from batch_llm.wire.embedding import EmbeddingText
from batch_llm.wire.remote_status import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from batch_llm.providers.mock import MockStep

STEPS: dict[str, MockStep] = {
    "batches.create": "create",
    "batches.retrieve": "poll",
    "files.content": "collect",
    "files.create": "upload",
}
OF_STATUS = {401: AuthenticationError, 400: InvalidRequestError, 429: RateLimitedError}
UNREADABLE = (FaultKind.TRUNCATED_JSON, FaultKind.INVALID_JSON)
LATE = (FaultKind.DROPPED, FaultKind.RESET_IN_BODY, *UNREADABLE)
REQUEST_SECONDS = 20.0


class MemoryWorld:
    """Opens mocks that share a clock and what goes wrong. Time passes when somebody asks for it."""

    broken = 0

    def __init__(self) -> None:
        self.clients: list[MockBatchClient] = []
        self.books = MemoryBooks(self.clients)
        self._faults: dict[int, Fault] = {}
        self._now = 1_700_000_000.0
        self._step = 100.0
        self._answered = self._delayed = 0
        self._answers: Callable[[BatchRequestLine], MockAnswer] = echo

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            gone = ConnectionFailedError("No connection.", was_sent=False)
            client.fail("create", gone, times=None)

    def open(
        self, retries: Retries, kind: type[MockBatchClient] = MockBatchClient
    ) -> MockBatchClient:
        client = kind(
            self._answer, delays=self._delay, cancel_seconds=1.0, clock=self.now, retries=retries
        )
        self.clients.append(client)
        for fault in self._faults.values():
            self._tell(client, fault)
        return client

    def now(self) -> float:
        self._now += self._step
        return self._now

    def advance(self, seconds: float) -> None:
        self._now += seconds

    def set_speed(self, speed: float) -> None:
        self._step = speed / 100

    def set_answers(self, answers: Callable[[BatchRequestLine], MockAnswer]) -> None:
        self._answers = answers

    def add_fault(self, fault: Fault) -> int:
        number = len(self._faults)
        self._faults[number] = fault
        for client in self.clients:
            self._tell(client, fault)
        return number

    def remove_fault(self, number: int) -> None:
        del self._faults[number]
        for client in self.clients:
            client.mend()

    def _tell(self, client: MockBatchClient, fault: Fault) -> None:
        if fault.kind is FaultKind.BATCH_FAILED:
            client.batch_error = RemoteError("The input file cannot be read.", "invalid_file")
        if fault.operation is not None:
            times = len(fault.calls) or fault.times
            step = STEPS[fault.operation]
            client.fail(step, _error(fault), after=fault.kind in LATE, times=times)

    def _answer(self, line: BatchRequestLine) -> MockAnswer:
        request, self._answered = line.request, self._answered + 1
        if isinstance(request, EmbeddingText):
            return echo(line)
        prompt = request.messages[-1].text
        for fault in self._faults.values():
            if fault.kind is FaultKind.BATCH_ONLY_ERRORS:
                return ServerError("It failed.", status_code=500)
            if fault.kind is FaultKind.BATCH_MISSING_LINES and _is_hit(self._answered, fault):
                return None
            if fault.prompt_contains is not None and fault.prompt_contains in prompt:
                return _cut(line) if fault.kind is FaultKind.LENGTH else _error(fault)
        if request.output_schema is not None:
            values = FittingValues(request.output_schema.json_schema)
            return json.dumps(values.make(self._answered))
        return self._answers(line)

    def _delay(self, line: BatchRequestLine) -> float:
        self._delayed += 1
        for fault in self._faults.values():
            if fault.kind is FaultKind.BATCH_EXPIRED and _is_hit(self._delayed, fault):
                return 1e9
        return REQUEST_SECONDS


@dataclass
class MemoryRecord:
    """A request that was executed."""

    prompt: str
    input_tokens: int
    executed: bool = True


class MemoryBooks:
    """What mocks have accepted and answered."""

    def __init__(self, clients: list[MockBatchClient]) -> None:
        self._clients = clients

    @property
    def records(self) -> list[MemoryRecord]:
        return [
            MemoryRecord(_prompt(line), (answer.usage or {}).get("input_tokens", 0))
            for batch in self._batches()
            for line in batch.lines
            if (answer := batch.answers.get(line.custom_id)) and answer.outcome == "succeeded"
        ]

    def totals(self) -> MemoryRecord:
        return MemoryRecord("", sum(record.input_tokens for record in self.records))

    def creates(self, kind: str) -> list[Any]:
        return list(self._batches())

    def repeated_creates(self) -> list[str]:
        nonces = [batch.nonce for batch in self._batches()]
        return [nonce for nonce in nonces if nonces.count(nonce) > 1]

    def repeated(self, what: str) -> list[str]:
        prompts = [record.prompt for record in self.records]
        return [prompt for prompt in prompts if prompts.count(prompt) > 1]

    def _batches(self) -> Any:
        return [batch for client in self._clients for batch in client.batches.values()]


def _prompt(line: BatchRequestLine) -> str:
    request = line.request
    return request.text if isinstance(request, EmbeddingText) else request.messages[-1].text


def _is_hit(number: int, fault: Fault) -> bool:
    return int(number * fault.share) > int((number - 1) * fault.share)


def _cut(line: BatchRequestLine) -> BatchAnswer:
    whole = echo(line)
    whole.text, whole.finish_reason = (whole.text or "")[:3], "length"
    return whole


def _error(fault: Fault) -> ProviderError:
    if fault.kind is FaultKind.STATUS:
        kind = OF_STATUS.get(fault.status, ServerError)
        return kind(f"{fault.status}", status_code=fault.status)
    if fault.kind in UNREADABLE:
        return MalformedAnswerError("No JSON.")
    return ConnectionFailedError("The connection broke.")
