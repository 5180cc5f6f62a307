"""A Batch API in memory, told what to do. What it has in common with the others is in contract/."""

from __future__ import annotations

import pytest

from batch_llm.base import LLMRequest
from batch_llm.exceptions import InvalidRequestError, ProviderError, ServerError, SubmissionError
from batch_llm.providers import Chunk, Found, Intent, MockBatchClient, NotFound, Retries
from batch_llm.wire.batch_item import BatchAnswer, BatchRequestLine
from batch_llm.wire.custom_ids import new_nonce
from batch_llm.wire.remote_status import TOKEN_LIMIT_EXCEEDED, RemoteError, RemoteStatus

NEVER = Retries(attempts=1)


class Time:
    """A clock that is told the time."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def sent(client: MockBatchClient, *names: str) -> tuple[Chunk, Intent]:
    lines = [BatchRequestLine(name, LLMRequest(f"{name}?"), "any") for name in names]
    nonce = new_nonce()
    chunk = Chunk("any", "/v1/chat/completions", lines, client.custom_ids(names, nonce))
    return chunk, Intent(nonce, len(names), 1_000.0)


async def submit(client: MockBatchClient, *names: str) -> tuple[str, Chunk, Intent]:
    chunk, intent = sent(client, *names)
    return await client.create(chunk, await client.upload(chunk, intent), intent), chunk, intent


async def answers(client: MockBatchClient, name: str, chunk: Chunk) -> dict[str, BatchAnswer]:
    status = await client.poll(name)
    assert status.has_ended
    found = client.collect(status, chunk.custom_ids, chunk.endpoint)
    return {answer.custom_id: answer async for answer in found}


async def test_answers_are_those_that_were_set() -> None:
    whole = BatchAnswer(custom_id="", outcome="succeeded", text="cut", finish_reason="length")
    client = MockBatchClient({"a": "Paris", "b": whole, "c": None})
    client.set_answer("d", "Rome")
    client.set_failure("e", ValueError("odd"))
    name, chunk, _ = await submit(client, *"abcdef")
    found = await answers(client, name, chunk)
    assert {job_id: answer.text for job_id, answer in found.items()} == {
        "a": "Paris", "b": "cut", "d": "Rome", "e": None, "f": "f?",
    }  # fmt: skip
    assert found["b"].is_truncated
    assert isinstance(found["e"].error, ProviderError)
    assert "ValueError: odd" in str(found["e"].error)
    assert "c" not in found


async def test_a_batch_goes_on_as_its_requests_do() -> None:
    clock = Time()
    client = MockBatchClient(delays={"slow": 60.0}, clock=clock)
    client.set_delay("slower", 90.0)
    name, chunk, _ = await submit(client, "slow", "fast", "slower")

    async def counts() -> tuple[int, int, str]:
        status = await client.poll(name)
        return status.counts.succeeded, status.counts.pending, status.state

    assert await counts() == (1, 2, "in_progress")
    clock.now += 60
    assert await counts() == (2, 1, "in_progress")
    clock.now += 30
    assert await counts() == (3, 0, "ended")
    assert len(await answers(client, name, chunk)) == 3


async def test_a_cancel_takes_its_time_and_keeps_what_was_done() -> None:
    clock = Time()
    client = MockBatchClient(delays={"slow": 60.0}, cancel_seconds=10.0, clock=clock)
    name, chunk, _ = await submit(client, "slow", "fast")
    assert (await client.cancel(name)).state == "canceling"
    clock.now += 9
    assert (await client.poll(name)).state == "canceling"
    clock.now += 100
    status = await client.poll(name)
    assert (status.ended_as, status.counts.succeeded, status.counts.canceled) == ("cancelled", 1, 1)
    found = await answers(client, name, chunk)
    assert {job_id: answer.outcome for job_id, answer in found.items()} == {
        "slow": "canceled", "fast": "succeeded",
    }  # fmt: skip


async def test_what_was_not_done_in_time_expires() -> None:
    clock = Time()
    client = MockBatchClient(delays={"slow": 100.0}, window_seconds=50.0, clock=clock)
    name, chunk, _ = await submit(client, "slow", "fast")
    clock.now += 49
    assert not (await client.poll(name)).has_ended
    clock.now += 200
    status = await client.poll(name)
    assert (status.ended_as, status.ended_at, status.counts.expired) == ("expired", 1_050.0, 1)
    assert (await answers(client, name, chunk))["slow"].outcome == "expired"


async def test_a_request_is_executed_once() -> None:
    asked: list[str] = []

    def answer(line: BatchRequestLine) -> str:
        asked.append(line.custom_id)
        return "yes"

    client = MockBatchClient(answer)
    name, chunk, _ = await submit(client, "a", "b")
    for _ in range(3):
        await answers(client, name, chunk)
    assert asked == ["a", "b"]


async def test_a_batch_may_be_refused_as_a_whole() -> None:
    client = MockBatchClient()
    client.batch_error = RemoteError("too many", TOKEN_LIMIT_EXCEEDED)
    name, chunk, _ = await submit(client, "a")
    status: RemoteStatus = await client.poll(name)
    assert status.waits_for_tokens
    assert await answers(client, name, chunk) == {}
    assert client.batches[name].answers == {}


async def test_a_step_fails_as_often_as_it_is_told_to() -> None:
    client = MockBatchClient(retries=NEVER)
    name, _, _ = await submit(client, "a")
    client.fail("poll", ServerError("503", status_code=503), times=2)
    for _ in range(2):
        with pytest.raises(ServerError):
            await client.poll(name)
    assert (await client.poll(name)).has_ended
    client.fail("poll", ServerError("503", status_code=503), times=None)
    for _ in range(3):
        with pytest.raises(ServerError):
            await client.poll(name)
    client.mend()
    assert (await client.poll(name)).has_ended


@pytest.mark.parametrize("is_made", [True, False])
async def test_a_create_that_fails_may_have_made_a_batch(is_made: bool) -> None:
    client = MockBatchClient()
    client.fail("create", ServerError("503", status_code=503), after=is_made)
    chunk, intent = sent(client, "a")
    handle = await client.upload(chunk, intent)
    with pytest.raises(SubmissionError) as caught:
        await client.create(chunk, handle, intent)
    assert caught.value.acceptance == "unknown"
    found = await client.find_orphan(intent, ())
    assert isinstance(found, Found) if is_made else found == NotFound()
    assert await client.find_orphan(intent, client.batches) == NotFound()


async def test_a_file_that_is_deleted_makes_no_batch() -> None:
    client = MockBatchClient()
    chunk, intent = sent(client, "a")
    handle = await client.upload(chunk, intent)
    assert handle is not None
    await client.delete_files([handle])
    with pytest.raises(SubmissionError) as caught:
        await client.create(chunk, handle, intent)
    assert isinstance(caught.value.__cause__, InvalidRequestError)
    assert caught.value.acceptance == "refused"


async def test_requests_may_go_with_the_create() -> None:
    client = MockBatchClient(uploads=False)
    name, chunk, _ = await submit(client, "a")
    assert (await client.poll(name)).inputs == ()
    assert list(await answers(client, name, chunk)) == ["a"]
