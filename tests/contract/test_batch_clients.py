"""What the batch lane asks of every client of a Batch API."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.memory_world import MemoryWorld

from batch_llm.base import FilePart, LLMRequest, Message, TextPart
from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    InputError,
    InvalidRequestError,
    MalformedAnswerError,
    ServerError,
    SubmissionError,
)
from batch_llm.providers import (
    AnthropicBatchClient,
    BatchClient,
    Chunk,
    Found,
    GeminiBatchClient,
    Intent,
    NotFound,
    OpenAIBatchClient,
    Retries,
    Unprovable,
)
from batch_llm.providers.base import NOT_SENT
from batch_llm.testing.simulator import Fault, FaultKind, Limit, Simulator
from batch_llm.wire.batch_item import BatchAnswer, BatchRequestLine
from batch_llm.wire.batch_results import UNMATCHED_RESULTS
from batch_llm.wire.custom_ids import new_nonce
from batch_llm.wire.embedding import EmbeddingText

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

    from batch_llm.wire.remote_status import RemoteStatus

AT_ONCE = Retries(attempts=6, initial_seconds=0.001)
NEVER = Retries(attempts=1)
KEY = "a-secret-key-of-mine"


@dataclass(frozen=True)
class Case:
    """A client, and the model it is tried with."""

    name: str
    model: str
    vectors: str | None
    open: Callable[[Any, Retries], BatchClient]
    world: Callable[[], Any] = Simulator

    @property
    def provider(self) -> str:
        return self.name.partition("-")[0]


def _openai(simulator: Simulator, retries: Retries) -> BatchClient:
    return OpenAIBatchClient(
        base_url=simulator.openai_base_url,
        api_key=KEY,
        retries=retries,
        token_limit_field="max_completion_tokens",
    )


def _openai_responses(simulator: Simulator, retries: Retries) -> BatchClient:
    return OpenAIBatchClient(
        base_url=simulator.openai_base_url,
        api_key=KEY,
        retries=retries,
        chat_endpoint="/v1/responses",
    )


def _anthropic(simulator: Simulator, retries: Retries) -> BatchClient:
    return AnthropicBatchClient(base_url=simulator.anthropic_base_url, api_key=KEY, retries=retries)


def _gemini(simulator: Simulator, retries: Retries) -> BatchClient:
    return GeminiBatchClient(base_url=simulator.gemini_base_url, api_key=KEY, retries=retries)


def _gemini_file(simulator: Simulator, retries: Retries) -> BatchClient:
    return GeminiBatchClient(
        base_url=simulator.gemini_base_url, api_key=KEY, retries=retries, inline_bytes=0
    )


def _mock(world: MemoryWorld, retries: Retries) -> BatchClient:
    return world.open(retries)


CASES = [
    Case("openai-chat", "gpt-4o-mini", "text-embedding-3-small", _openai),
    Case("openai-responses", "gpt-4o-mini", None, _openai_responses),
    Case("anthropic", "claude-haiku-4-5", None, _anthropic),
    Case("gemini-inline", "gemini-2.5-flash", "gemini-embedding-001", _gemini),
    Case("gemini-file", "gemini-2.5-flash", "gemini-embedding-001", _gemini_file),
    Case("mock", "any-model", "any-model", _mock, MemoryWorld),
]
WITHOUT_ANTHROPIC = [case for case in CASES if case.provider != "anthropic"]


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=3, speed=10_000) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: Simulator, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The simulator, or what stands in its place for the mock."""
    if "case" in request.fixturenames:
        case: Case = request.getfixturevalue("case")
        if case.world is not Simulator:
            yield case.world()
            return
    running.reset()
    yield running
    assert running.broken == 0, "the simulator met a defect of its own; see its log"


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
async def client(case: Case, simulator: Simulator) -> AsyncIterator[BatchClient]:
    client = case.open(simulator, AT_ONCE)
    yield client
    await client.aclose()


def questions(case: Case, count: int) -> list[BatchRequestLine]:
    """Return requests whose ids no provider but a tolerant one takes."""
    return [
        BatchRequestLine(f"Zeile {n} / é", LLMRequest(f"question {n}"), case.model)
        for n in range(count)
    ]


@dataclass
class Sent:
    """A chunk, and what was written down of it."""

    chunk: Chunk
    intent: Intent
    handle: str | None = None
    remote_id: str = ""


def intended(client: BatchClient, simulator: Simulator, lines: list[BatchRequestLine]) -> Sent:
    nonce = new_nonce()
    ids = client.custom_ids([line.custom_id for line in lines], nonce)
    endpoint = client.endpoint_for(lines[0].request)
    chunk = Chunk(lines[0].model, endpoint, lines, ids)
    return Sent(chunk, Intent(nonce, len(lines), simulator.now()))


async def submit(client: BatchClient, simulator: Simulator, lines: list[BatchRequestLine]) -> Sent:
    sent = intended(client, simulator, lines)
    sent.handle = await client.upload(sent.chunk, sent.intent)
    sent.remote_id = await client.create(sent.chunk, sent.handle, sent.intent)
    return sent


def retrieve_of(case: Case) -> str:
    """Return how the simulator calls the reading of a batch."""
    return "batches.get" if case.provider == "gemini" else "batches.retrieve"


async def ended(
    client: BatchClient, remote_id: str, simulator: Simulator | None = None
) -> RemoteStatus:
    """Wait for the end of a batch; with a simulator, time passes faster still."""
    for _ in range(1_000):
        status = await client.poll(remote_id)
        if simulator is not None:
            simulator.advance(3_600)
        if status.has_ended:
            return status
        assert status.ended_as is None
    raise AssertionError("it never ended")


async def collected(
    client: BatchClient, sent: Sent, status: RemoteStatus
) -> dict[str, BatchAnswer]:
    found: dict[str, BatchAnswer] = {}
    async for answer in client.collect(status, sent.chunk.custom_ids, sent.chunk.endpoint):
        assert answer.custom_id not in found
        found[answer.custom_id] = answer
    return found


# --- the way through ------------------------------------------------------------------------


async def test_every_answer_comes_back_to_its_job(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_SHUFFLED))
    lines = questions(case, 30)
    sent = await submit(client, simulator, lines)
    status = await ended(client, sent.remote_id)
    assert (status.ended_as, status.counts.total, status.counts.succeeded) == ("completed", 30, 30)
    assert status.counts.pending == 0
    assert status.created_at is not None
    assert status.ended_at is not None
    assert status.expires_at is not None
    assert status.created_at <= status.ended_at < status.expires_at
    answers = await collected(client, sent, status)
    assert {job: answer.text for job, answer in answers.items()} == {
        f"Zeile {n} / é": f"question {n}" for n in range(30)
    }
    billed = sum(answer.usage["input_tokens"] for answer in answers.values() if answer.usage)
    assert billed == simulator.books.totals().input_tokens
    assert all(answer.finish_reason == "stop" for answer in answers.values())
    assert all(json.loads(answer.raw) for answer in answers.values())


async def test_an_answer_cut_in_the_middle_of_a_character_is_read(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    """It is paid for, and half of a surrogate pair is no reason to lose the rest of it."""
    simulator.set_answers(lambda _: "well done \ud83d")
    sent = await submit(client, simulator, questions(case, 2))
    answers = await collected(client, sent, await ended(client, sent.remote_id))
    assert [answer.text for answer in answers.values()] == ["well done \ufffd"] * 2
    assert all(answer.usage and answer.usage["output_tokens"] for answer in answers.values())


async def test_the_clients_send_their_requests_as_they_say(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    """The bytes that a chunk is measured by are those that are sent, or a little more."""
    lines = questions(case, 3)
    ids = client.custom_ids([line.custom_id for line in lines], new_nonce())
    endpoint = client.endpoint_for(lines[0].request)
    assert all(b"question" in client.encode(line, ids, endpoint) for line in lines)
    assert client.limits.requests >= 50_000


@pytest.mark.parametrize("case", [case for case in CASES if case.vectors], ids=lambda c: c.name)
async def test_vectors(client: BatchClient, case: Case, simulator: Simulator) -> None:
    lines = [
        BatchRequestLine(f"v{n}", EmbeddingText(f"text {n}", dimensions=8), case.vectors or "")
        for n in range(4)
    ]
    sent = await submit(client, simulator, lines)
    answers = await collected(client, sent, await ended(client, sent.remote_id))
    assert sorted(answers) == ["v0", "v1", "v2", "v3"]
    for answer in answers.values():
        assert answer.outcome == "succeeded"
        assert answer.embedding is not None
        assert len(answer.embedding) == 8
        assert answer.usage is not None
        assert answer.usage["input_tokens"] > 0
    vectors = {tuple(answer.embedding or ()) for answer in answers.values()}
    assert len(vectors) == 4


async def test_an_answer_that_fits_a_schema(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    schema = {
        "title": "Answer",
        "type": "object",
        "properties": {"legs": {"type": "integer"}},
        "required": ["legs"],
        "additionalProperties": False,
    }
    request = LLMRequest("Count.", system="You count.", output_schema=schema, max_output_tokens=99)
    sent = await submit(client, simulator, [BatchRequestLine("a", request, case.model)])
    answers = await collected(client, sent, await ended(client, sent.remote_id))
    assert isinstance(json.loads(answers["a"].text or "")["legs"], int)


@pytest.mark.parametrize("case", [CASES[2]], ids=["anthropic"])
async def test_citations_come_with_their_places(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    document = FilePart(data=b"The cat sat. It was red.", media_type="text/plain", name="cat")
    turn = Message("user", (document, TextPart("What colour was it?")))
    asked = LLMRequest([turn], citations=True)
    sent = await submit(client, simulator, [BatchRequestLine("a", asked, case.model)])
    answer = (await collected(client, sent, await ended(client, sent.remote_id)))["a"]
    assert answer.citations
    assert answer.citations[0]["document_title"] == "cat"
    span = answer.cited[0]
    assert 0 <= span.start < span.end <= len(answer.text or "")


# --- what goes wrong ------------------------------------------------------------------------


async def test_single_requests_fail_for_themselves(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=500, prompt_contains="question 1"))
    simulator.add_fault(Fault(kind=FaultKind.LENGTH, prompt_contains="question 2"))
    sent = await submit(client, simulator, questions(case, 4))
    answers = await collected(client, sent, await ended(client, sent.remote_id))
    assert [answers[f"Zeile {n} / é"].outcome for n in range(4)] == [
        "succeeded",
        "errored",
        "succeeded",
        "succeeded",
    ]
    failed = answers["Zeile 1 / é"]
    assert isinstance(failed.error, ServerError)
    assert failed.error_message
    assert failed.text is None
    assert answers["Zeile 2 / é"].is_truncated


async def test_a_batch_of_errors_alone_loses_none(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_ONLY_ERRORS))
    sent = await submit(client, simulator, questions(case, 5))
    answers = await collected(client, sent, await ended(client, sent.remote_id))
    assert len(answers) == 5
    assert {answer.outcome for answer in answers.values()} == {"errored"}


async def test_missing_results_are_left_out(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_MISSING_LINES, share=0.5))
    sent = await submit(client, simulator, questions(case, 10))
    answers = await collected(client, sent, await ended(client, sent.remote_id))
    assert len(answers) == 5


async def test_what_was_done_before_a_batch_expired_is_kept(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.5))
    sent = await submit(client, simulator, questions(case, 10))
    status = await ended(client, sent.remote_id, simulator)
    assert status.ended_as == "expired"
    answers = await collected(client, sent, status)
    outcomes = [answer.outcome for answer in answers.values()]
    if case.provider == "gemini":  # gives no results of an expired batch, and says why
        assert outcomes == []
        assert status.error is not None
        assert status.error.code == "DEADLINE_EXCEEDED"
    else:
        assert sorted(outcomes) == ["expired"] * 5 + ["succeeded"] * 5


async def test_a_batch_that_fails_as_a_whole(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_FAILED))
    sent = await submit(client, simulator, questions(case, 3))
    status = await ended(client, sent.remote_id)
    answers = await collected(client, sent, status)
    if case.provider == "anthropic":  # knows failed requests only
        assert {answer.outcome for answer in answers.values()} == {"errored"}
        return
    assert status.ended_as == "failed"
    assert status.error is not None
    assert status.error.message
    assert not status.waits_for_tokens
    assert answers == {}


async def test_a_cancelled_batch_stops(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.set_speed(1e-6)
    try:
        sent = await submit(client, simulator, questions(case, 4))
        stopped = await client.cancel(sent.remote_id)
        assert stopped.state in ("canceling", "in_progress", "ended")
        simulator.advance(3_600)
        status = await client.poll(sent.remote_id)
    finally:
        simulator.set_speed(10_000)
    assert (status.state, status.ended_as) == ("ended", "cancelled")
    outcomes = {a.outcome for a in (await collected(client, sent, status)).values()}
    assert outcomes <= {"canceled"}
    again = await client.cancel(sent.remote_id)
    assert again.ended_as == "cancelled"


async def test_polls_and_downloads_are_repeated(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    sent = await submit(client, simulator, questions(case, 5))
    await ended(client, sent.remote_id)
    simulator.add_fault(
        Fault(kind=FaultKind.STATUS, status=503, operation=retrieve_of(case), calls=(1,))
    )
    simulator.add_fault(Fault(kind=FaultKind.RESET_BEFORE, operation=retrieve_of(case), calls=(2,)))
    status = await client.poll(sent.remote_id)
    operation = {
        "openai": "files.content",
        "anthropic": "batches.results",
        "gemini": "files.download" if case.name == "gemini-file" else "batches.get",
        "mock": "files.content",
    }[case.provider]
    simulator.add_fault(Fault(kind=FaultKind.RESET_IN_BODY, operation=operation, calls=(1,)))
    assert len(await collected(client, sent, status)) == 5


async def test_a_failed_poll_is_an_error_of_the_poll(case: Case, simulator: Simulator) -> None:
    client = case.open(simulator, NEVER)
    sent = await submit(client, simulator, questions(case, 2))
    fault = simulator.add_fault(
        Fault(kind=FaultKind.STATUS, status=503, operation=retrieve_of(case))
    )
    with pytest.raises(ServerError):
        await client.poll(sent.remote_id)
    simulator.remove_fault(fault)
    assert (await ended(client, sent.remote_id)).ended_as == "completed"
    await client.aclose()


async def test_uploads_are_repeated(client: BatchClient, case: Case, simulator: Simulator) -> None:
    if case.name in ("anthropic", "gemini-inline"):
        sent = intended(client, simulator, questions(case, 2))
        assert await client.upload(sent.chunk, sent.intent) is None
        return
    operation = "files.create"
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation=operation, calls=(1,)))
    sent = await submit(client, simulator, questions(case, 3))
    assert len(await collected(client, sent, await ended(client, sent.remote_id))) == 3


# --- the create, and orphans ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "acceptance", "created"),
    [
        (Fault(kind=FaultKind.DROPPED, operation="batches.create"), "unknown", 1),
        (Fault(kind=FaultKind.RESET_BEFORE, operation="batches.create"), "unknown", 0),
        (Fault(kind=FaultKind.RESET_IN_BODY, operation="batches.create"), "unknown", 1),
        (Fault(kind=FaultKind.TRUNCATED_JSON, operation="batches.create"), "accepted", 1),
        (Fault(kind=FaultKind.INVALID_JSON, operation="batches.create"), "accepted", 1),
        (Fault(kind=FaultKind.STATUS, status=429, operation="batches.create"), "refused", 0),
        (Fault(kind=FaultKind.STATUS, status=503, operation="batches.create"), "unknown", 0),
    ],
    ids=lambda value: value.kind.value if isinstance(value, Fault) else str(value),
)
async def test_a_create_is_sent_once_and_found_again(
    client: BatchClient,
    case: Case,
    simulator: Simulator,
    fault: Fault,
    acceptance: str,
    created: int,
) -> None:
    other = await submit(client, simulator, questions(case, 3))
    sent = intended(client, simulator, questions(case, 3))
    sent.handle = await client.upload(sent.chunk, sent.intent)
    number = simulator.add_fault(fault)
    with pytest.raises(SubmissionError) as caught:
        await client.create(sent.chunk, sent.handle, sent.intent)
    simulator.remove_fault(number)
    assert caught.value.acceptance == acceptance
    assert len(simulator.books.creates("batch")) == 1 + created
    await ended(client, other.remote_id)
    found = await settled(client, sent, {other.remote_id})
    if not created:
        assert found == NotFound()
        return
    assert isinstance(found, Found)
    assert found.remote_id != other.remote_id
    answers = await collected(client, sent, await ended(client, found.remote_id))
    assert sorted(answers) == sorted(sent.chunk.custom_ids)
    assert simulator.books.repeated_creates() == []


async def settled(client: BatchClient, sent: Sent, known: set[str]) -> object:
    """Look for an orphan until it can be told."""
    for _ in range(3_000):
        found = await client.find_orphan(sent.intent, known)
        if not isinstance(found, Unprovable):
            return found
    raise AssertionError("it never could be told")


async def test_nothing_is_sent_that_may_not_be_once_it_is_ready(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    read: list[str] = []
    sent = intended(client, simulator, questions(case, 3))
    handle = await client.upload(sent.chunk, sent.intent)

    def lines() -> Iterator[BatchRequestLine]:
        for line in sent.chunk.lines:
            read.append(line.custom_id)
            yield line

    def may_send() -> bool:
        assert handle is not None or len(read) == 3, "it is not ready yet"
        return False

    chunk = replace(sent.chunk, lines=Lines(lines))
    with pytest.raises(SubmissionError) as caught:
        await client.create(chunk, handle, sent.intent, may_send)
    assert (caught.value.acceptance, caught.value.code) == ("refused", NOT_SENT)
    assert len(simulator.books.creates("batch")) == 0


@dataclass
class Lines:
    """Lines that are made each time they are read."""

    make: Callable[[], Iterator[BatchRequestLine]]

    def __iter__(self) -> Iterator[BatchRequestLine]:
        return self.make()


async def test_a_refused_connection_is_surely_not_accepted(case: Case) -> None:
    with case.world() as gone:
        client = case.open(gone, NEVER)
        sent = intended(client, gone, questions(case, 1))
    with pytest.raises(SubmissionError) as caught:
        await client.create(sent.chunk, "files/x", sent.intent)
    assert caught.value.acceptance == "refused"
    assert isinstance(caught.value.__cause__, ConnectionFailedError)
    await client.aclose()


@pytest.mark.parametrize("case", WITHOUT_ANTHROPIC, ids=lambda case: case.name)
async def test_an_orphan_is_found_while_it_runs(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.set_speed(1e-6)
    try:
        await submit(client, simulator, questions(case, 3))
        sent = await submit(client, simulator, questions(case, 3))
        found = await client.find_orphan(sent.intent, set())
        assert found == Found(sent.remote_id)
        assert await client.find_orphan(sent.intent, {sent.remote_id}) == NotFound()
    finally:
        simulator.set_speed(10_000)


@pytest.mark.parametrize("case", [CASES[2]], ids=["anthropic"])
async def test_at_anthropic_nothing_is_proved_while_it_runs(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    simulator.set_speed(1e-6)
    try:
        foreign = await submit(client, simulator, questions(case, 3))
        await submit(client, simulator, questions(case, 4))
        sent = intended(client, simulator, questions(case, 3))
        found = await client.find_orphan(sent.intent, set())
        assert isinstance(found, Unprovable)
        assert found.candidates == (foreign.remote_id,)
        assert found.reason
        simulator.advance(24 * 3_600)
        assert await client.find_orphan(sent.intent, set()) == NotFound()
    finally:
        simulator.set_speed(10_000)


async def test_an_orphan_is_found_behind_many_pages(
    client: BatchClient, case: Case, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_pages = case.name != "mock"
    monkeypatch.setattr(f"batch_llm.providers.{case.provider}._PAGE", 1, raising=has_pages)
    sent = await submit(client, simulator, questions(case, 2))
    for _ in range(3):
        other = await submit(client, simulator, questions(case, 2))
        await ended(client, other.remote_id)
    await ended(client, sent.remote_id)
    assert await client.find_orphan(sent.intent, set()) == Found(sent.remote_id)


@pytest.mark.parametrize("days_ahead", [2, 100])
async def test_a_clock_that_was_ahead_hides_no_orphan(
    client: BatchClient, case: Case, simulator: Simulator, days_ahead: int
) -> None:
    sent = await submit(client, simulator, questions(case, 2))
    await ended(client, sent.remote_id)
    written_at = sent.intent.written_at + days_ahead * 86_400
    intent = replace(sent.intent, written_at=written_at)
    assert await client.find_orphan(intent, set()) == Found(sent.remote_id)


# --- refusals ------------------------------------------------------------------------------


async def test_tokens_that_wait_are_told_apart(simulator: Simulator) -> None:
    case = CASES[0]
    client = case.open(simulator, AT_ONCE)
    simulator.set_limits([Limit(provider="openai", enqueued_tokens=10)])
    sent = await submit(client, simulator, questions(case, 20))
    status = await ended(client, sent.remote_id)
    assert status.ended_as == "failed"
    assert status.waits_for_tokens
    assert "Enqueued token limit" in (status.error.message if status.error else "")
    await client.aclose()


async def test_results_without_a_key_are_told_loudly_and_matched_by_no_place(
    simulator: Simulator,
) -> None:
    case = CASES[3]
    client = case.open(simulator, AT_ONCE)
    simulator.add_fault(Fault(kind=FaultKind.BATCH_NO_METADATA, share=0.5))
    sent = await submit(client, simulator, questions(case, 6))
    status = await ended(client, sent.remote_id)
    found: list[BatchAnswer] = []
    with pytest.raises(MalformedAnswerError) as caught:
        async for answer in client.collect(status, sent.chunk.custom_ids, sent.chunk.endpoint):
            found.append(answer)
    assert caught.value.code == UNMATCHED_RESULTS
    assert len(found) == 3
    assert all((answer.text or "")[-1] == answer.custom_id.split()[1] for answer in found)
    await client.aclose()


async def test_results_of_another_batch_are_no_ones(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    sent = await submit(client, simulator, questions(case, 2))
    status = await ended(client, sent.remote_id)
    others = client.custom_ids(["x", "y"], new_nonce())
    with pytest.raises(MalformedAnswerError, match="2 of 2 results"):
        async for _ in client.collect(status, others, sent.chunk.endpoint):
            pass


async def test_errors_hold_no_key(client: BatchClient, case: Case, simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=401, operation=retrieve_of(case)))
    with pytest.raises(AuthenticationError) as caught:
        await client.poll("batch_x" if case.provider != "gemini" else "batches/x")
    assert KEY not in str(caught.value)
    assert KEY not in repr(client.__dict__.values())


async def test_a_batch_that_is_not_there(client: BatchClient, case: Case) -> None:
    with pytest.raises((InvalidRequestError, AuthenticationError)):
        await client.poll("batch_x" if case.provider != "gemini" else "batches/x")


async def test_a_request_that_no_json_can_hold_is_named(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    lines = [BatchRequestLine("broken", LLMRequest("half \ud800"), case.model)]
    sent = intended(client, simulator, lines)
    with pytest.raises(InputError, match="broken"):
        handle = await client.upload(sent.chunk, sent.intent)
        await client.create(sent.chunk, handle, sent.intent)
    assert not simulator.books.creates("batch")


async def test_an_endpoint_without_batches_is_refused(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    sent = intended(client, simulator, questions(case, 1))
    with pytest.raises(ConfigurationError, match="/v1/images"):
        client.encode(questions(case, 1)[0], sent.chunk.custom_ids, "/v1/images")


async def test_files_are_deleted_and_may_be_gone(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    sent = await submit(client, simulator, questions(case, 2))
    status = await ended(client, sent.remote_id)
    assert (sent.handle is None) == (status.inputs == ())
    await collected(client, sent, status)
    for _ in range(2):
        await client.delete_files(status.inputs)
        if case.name != "gemini-inline":
            await client.delete_files(status.outputs)
    if case.provider in ("openai", "mock") or case.name == "gemini-file":
        with pytest.raises((InvalidRequestError, AuthenticationError)):
            await collected(client, sent, status)


async def test_a_client_goes_on_after_it_was_closed(
    client: BatchClient, case: Case, simulator: Simulator
) -> None:
    sent = await submit(client, simulator, questions(case, 1))
    await client.aclose()
    assert (await ended(client, sent.remote_id)).ended_as == "completed"


def test_lines_that_can_be_read_only_once_are_refused(case: Case, simulator: Simulator) -> None:
    client = case.open(simulator, NEVER)
    ids = client.custom_ids(["a"], new_nonce())
    once: Iterable[Any] = iter(questions(case, 1))
    with pytest.raises(ConfigurationError, match="only once"):
        Chunk(case.model, client.endpoints[0], once, ids)
