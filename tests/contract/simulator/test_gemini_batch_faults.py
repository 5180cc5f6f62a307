"""What can go wrong with Gemini's batches, as Google's SDK sees it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from google.genai import errors, types
from tests.contract.simulator.gemini_batches import (
    asking,
    create,
    ended,
    finished,
    frozen,
    inline,
    operation,
    raw_inline,
    until,
)
from tests.contract.simulator.gemini_sdk import MODEL, client_of, fault, raw

from batch_llm.testing.simulator import BatchTimes, FaultKind, Latency

if TYPE_CHECKING:
    from google.genai.client import AsyncClient

    from batch_llm.testing.simulator import Simulator

# google-genai subclasses aiohttp's session, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

KEYS = [f"job-{number}" for number in range(20)]
DROPPED = fault("dropped", operation="batches.create", times=1)
RETRIES = types.HttpRetryOptions(attempts=3, initial_delay=0.001, jitter=0.001, max_delay=0.01)


def results_of(simulator: Simulator, name: str, step: float = 0) -> list[dict[str, Any]]:
    """Return the inline results of a batch, once it has ended well."""
    seen = ended(simulator, name, step)
    assert seen["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    results: list[dict[str, Any]] = seen["response"]["inlinedResponses"].get("inlinedResponses", [])
    return results


def keys_in(results: list[dict[str, Any]]) -> list[str]:
    return [result["metadata"]["key"] for result in results]


def texts_in(results: list[dict[str, Any]]) -> list[str]:
    return [
        result["response"]["candidates"][0]["content"]["parts"][0]["text"] for result in results
    ]


def file_results(simulator: Simulator) -> list[dict[str, Any]]:
    """Return the lines of the results of a batch by file."""
    lines = [json.dumps({"key": key, "request": asking(key)}) for key in KEYS]
    with client_of(simulator) as client:
        file = client.files.upload(
            file=io.BytesIO("\n".join(lines).encode()),
            config={"mime_type": "application/jsonl"},
        )
        job = finished(client, client.batches.create(model=MODEL, src=str(file.name)))
        assert job.dest is not None
        content = client.files.download(file=str(job.dest.file_name))
    return [json.loads(line) for line in content.splitlines()]


# --- results that are not as they should be ------------------------------------------------


def test_results_come_in_another_order_each_with_its_own_key(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_shuffled"))
    results = results_of(simulator, create(simulator, raw_inline(*KEYS)).json()["name"])
    keys = keys_in(results)
    assert keys != KEYS
    assert sorted(keys) == sorted(KEYS)
    assert texts_in(results) == [f"say {key}" for key in keys]


def test_lines_of_a_file_come_in_another_order(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_shuffled"))
    keys = [line["key"] for line in file_results(simulator)]
    assert keys != KEYS
    assert sorted(keys) == sorted(KEYS)


def test_results_are_missing_though_they_were_billed(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_missing_lines", share=0.25))
    name = create(simulator, raw_inline(*KEYS)).json()["name"]
    results = results_of(simulator, name)
    assert len(results) == 15
    assert texts_in(results) == [f"say {key}" for key in keys_in(results)]
    stats = operation(simulator, name)["metadata"]["batchStats"]
    assert stats == {"requestCount": "20", "successfulRequestCount": "20"}
    assert sum(record.executed for record in simulator.books.records) == 20
    assert sum(record.fate == "lost" for record in simulator.books.records) == 5


def test_lines_of_a_file_are_missing(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_missing_lines", share=0.25))
    assert len(file_results(simulator)) == 15


@pytest.mark.parametrize(("share", "bare"), [(0.5, 10), (1.0, 20), (0.0, 0)])
def test_a_share_of_inline_results_comes_without_metadata(
    simulator: Simulator, share: float, bare: int
) -> None:
    simulator.add_fault(fault("batch_no_metadata", share=share))
    results = results_of(simulator, create(simulator, raw_inline(*KEYS)).json()["name"])
    assert len(results) == 20
    assert sum("metadata" not in result for result in results) == bare
    for result in results:
        assert result.keys() <= {"response", "metadata"}


def test_the_sdk_sees_none_where_the_metadata_is_gone(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_no_metadata", share=1))
    with client_of(simulator) as client:
        job = finished(client, client.batches.create(model=MODEL, src=inline("a")))
    assert job.dest is not None
    assert job.dest.inlined_responses is not None
    (one,) = job.dest.inlined_responses
    assert one.metadata is None
    assert one.response is not None
    assert one.response.text == "say a"


def test_lines_of_a_file_keep_their_keys_whatever_befalls_metadata(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_no_metadata", share=1))
    assert [line["key"] for line in file_results(simulator)] == KEYS


def test_a_batch_succeeds_with_nothing_but_errors(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_only_errors"))
    name = create(simulator, raw_inline(*KEYS)).json()["name"]
    results = results_of(simulator, name)
    assert keys_in(results) == KEYS
    assert all(result.keys() == {"error", "metadata"} for result in results)
    assert {result["error"]["code"] for result in results} == {13}
    stats = operation(simulator, name)["metadata"]["batchStats"]
    assert stats == {"requestCount": "20", "failedRequestCount": "20"}
    booked = [(record.fate, record.status, record.custom_id) for record in simulator.books.records]
    assert booked == [("failed", 500, key) for key in KEYS]
    assert {record.fault for record in simulator.books.records} == {FaultKind.BATCH_ONLY_ERRORS}
    assert simulator.books.totals().executed == 0


def test_a_batch_of_embeddings_with_nothing_but_errors(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_only_errors", status=503))
    requests = [
        {"request": {"content": {"parts": parts}}, "metadata": {"key": "a"}}
        for parts in ([{"text": "a"}], [])
    ]
    body = {"batch": {"inputConfig": {"requests": {"requests": requests}}}}
    path = "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent"
    results = results_of(simulator, raw(simulator, "POST", path, json=body).json()["name"])
    assert [result["error"]["code"] for result in results] == [14, 3]
    (record,) = simulator.books.records  # the second line is refused before it is a call
    assert (record.fate, record.status, record.lane) == ("failed", 503, "batch")


def test_a_part_of_the_lines_fails(simulator: Simulator) -> None:
    simulator.add_fault(fault("status", status=503, lane="batch", rate=0.4))
    results = results_of(simulator, create(simulator, raw_inline(*KEYS)).json()["name"])
    failed = [result for result in results if "error" in result]
    assert 0 < len(failed) < 20
    assert {result["error"]["code"] for result in failed} == {14}
    assert keys_in(results) == KEYS


# --- lines and the faults of live calls ----------------------------------------------------


@pytest.mark.parametrize("kind", ["reset_before", "hang", "refused"])
def test_a_line_that_was_not_reached_fails_unbilled(simulator: Simulator, kind: str) -> None:
    simulator.add_fault(fault(kind, lane="batch"))
    (result,) = results_of(simulator, create(simulator, raw_inline("a")).json()["name"])
    assert result["error"]["code"] == 14
    (record,) = simulator.books.records
    assert (record.executed, record.fate) == (False, "failed")


@pytest.mark.parametrize(
    "kind",
    ["dropped", "reset_in_body", "truncated_json", "invalid_json", "wrong_content_type"],
)
def test_a_line_whose_answer_was_lost_fails_billed(simulator: Simulator, kind: str) -> None:
    simulator.add_fault(fault(kind, lane="batch"))
    (result,) = results_of(simulator, create(simulator, raw_inline("a")).json()["name"])
    assert result["error"]["code"] == 13
    (record,) = simulator.books.records
    assert (record.executed, record.fate) == (True, "lost")


def test_a_line_whose_answer_reports_an_error_is_an_error(simulator: Simulator) -> None:
    simulator.add_fault(fault("error_in_200", lane="batch"))
    (result,) = results_of(simulator, create(simulator, raw_inline("a")).json()["name"])
    assert result.keys() == {"error", "metadata"}
    (record,) = simulator.books.records
    assert (record.executed, record.fate) == (True, "lost")


def test_a_slow_line_is_as_good_as_any(simulator: Simulator) -> None:
    simulator.add_fault(fault("slow_body", lane="batch"))
    (result,) = results_of(simulator, create(simulator, raw_inline("a")).json()["name"])
    assert texts_in([result]) == ["say a"]


@pytest.mark.parametrize(("kind", "reason"), [("safety", "SAFETY"), ("length", "MAX_TOKENS")])
def test_a_line_can_end_as_a_live_call_does(simulator: Simulator, kind: str, reason: str) -> None:
    simulator.add_fault(fault(kind, lane="batch"))
    (result,) = results_of(simulator, create(simulator, raw_inline("a")).json()["name"])
    assert result["response"]["candidates"][0]["finishReason"] == reason


@pytest.mark.parametrize(
    "kind", ["empty", "safety", "refusal", "length", "error_in_200", "status", "dropped"]
)
def test_a_text_that_is_not_embedded_spoils_no_batch(simulator: Simulator, kind: str) -> None:
    simulator.add_fault(fault(kind, lane="batch"))
    requests = [{"request": {"content": {"parts": [{"text": "a"}]}}, "metadata": {"key": "a"}}]
    body = {"batch": {"inputConfig": {"requests": {"requests": requests}}}}
    path = "/v1beta/models/gemini-embedding-001:asyncBatchEmbedContent"
    sent = raw(simulator, "POST", path, json=body).json()
    (result,) = results_of(simulator, sent["name"])
    assert len(result.keys() & {"response", "error"}) == 1


def test_a_line_can_have_no_candidates(simulator: Simulator) -> None:
    simulator.add_fault(fault("empty", lane="batch"))
    (result,) = results_of(simulator, create(simulator, raw_inline("a")).json()["name"])
    assert not result["response"].get("candidates")


# --- batches that end badly ----------------------------------------------------------------


def test_a_batch_expires_after_48_hours_and_leaves_no_results(simulator: Simulator) -> None:
    frozen(simulator)
    simulator.add_fault(fault("batch_expired", share=0.5))
    started = simulator.now()
    name = create(simulator, raw_inline(*KEYS)).json()["name"]
    seen = ended(simulator, name, step=3_600)
    assert seen["metadata"]["state"] == "BATCH_STATE_EXPIRED"
    assert "response" not in seen
    assert "output" not in seen["metadata"]
    assert simulator.now() - started >= 48 * 3600
    stats = seen["metadata"]["batchStats"]
    assert stats == {
        "requestCount": "20",
        "successfulRequestCount": "10",
        "pendingRequestCount": "10",
    }
    # They were done and billed, and nobody can read them.
    assert [record.fate for record in simulator.books.records] == ["lost"] * 10
    assert simulator.books.totals().executed == 10


def test_an_expired_batch_by_file_writes_no_file(simulator: Simulator) -> None:
    frozen(simulator)
    simulator.add_fault(fault("batch_expired", share=0.5))
    with client_of(simulator) as client:
        file = client.files.upload(
            file=io.BytesIO(json.dumps({"key": "a", "request": asking("a")}).encode()),
            config={"mime_type": "application/jsonl"},
        )
        simulator.advance(3_600)  # the file is older than the batch, and gone at its end
        job = client.batches.create(model=MODEL, src=str(file.name))
        seen = ended(simulator, str(job.name), step=3_600)
        assert seen["metadata"]["state"] == "BATCH_STATE_EXPIRED"
        assert list(client.files.list()) == []


def test_a_batch_by_file_that_expires_at_the_last_moment_writes_no_file(
    simulator: Simulator,
) -> None:
    frozen(simulator)
    simulator.set_batch_times(
        BatchTimes(running=Latency(seconds=600), finalizing_seconds=48 * 3_600)
    )
    with client_of(simulator) as client:
        file = client.files.upload(
            file=io.BytesIO(json.dumps({"key": "a", "request": asking("a")}).encode()),
            config={"mime_type": "application/jsonl"},
        )
        simulator.advance(3_600)  # the file is older than the batch, and gone at its end
        job = client.batches.create(model=MODEL, src=str(file.name))
        seen = ended(simulator, str(job.name), step=3_600)
        assert seen["metadata"]["state"] == "BATCH_STATE_EXPIRED"
        assert seen["metadata"]["batchStats"]["successfulRequestCount"] == "1"
        assert list(client.files.list()) == []
    assert [record.fate for record in simulator.books.records] == ["lost"]


def test_lines_of_a_batch_that_is_deleted_while_it_runs_are_lost(simulator: Simulator) -> None:
    frozen(simulator)
    with client_of(simulator) as client:
        file = client.files.upload(
            file=io.BytesIO(json.dumps({"key": "a", "request": asking("a")}).encode()),
            config={"mime_type": "application/jsonl"},
        )
        job = client.batches.create(model=MODEL, src=str(file.name))
        client.batches.delete(name=str(job.name))
        until(simulator, simulator.books.totals, lambda totals: totals.lost == 1, step=60)
        assert [each.name for each in client.files.list()] == [file.name]
    assert simulator.books.totals().answered == 0


def test_a_batch_fails_as_a_whole(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_failed", error_type="RESOURCE_EXHAUSTED"))
    with client_of(simulator) as client:
        job = finished(client, client.batches.create(model=MODEL, src=inline("a")))
    assert job.state is types.JobState.JOB_STATE_FAILED
    assert job.dest is None
    assert operation(simulator, str(job.name))["error"]["code"] == 8
    assert not simulator.books.records


def test_a_request_asks_for_its_own_fault_of_the_batch(simulator: Simulator) -> None:
    sent = create(simulator, raw_inline("a"), **{"x-sim-fault": "batch_failed"}).json()
    assert ended(simulator, sent["name"])["metadata"]["state"] == "BATCH_STATE_FAILED"
    other = create(simulator, raw_inline("a")).json()
    assert ended(simulator, other["name"])["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"


def test_a_fault_befalls_the_batches_of_one_model(simulator: Simulator) -> None:
    simulator.add_fault(fault("batch_failed", model="gemini-2.5-pro"))
    with client_of(simulator) as client:
        spared = finished(client, client.batches.create(model=MODEL, src=inline("a")))
        hit = finished(client, client.batches.create(model="gemini-2.5-pro", src=inline("a")))
    assert spared.state is types.JobState.JOB_STATE_SUCCEEDED
    assert hit.state is types.JobState.JOB_STATE_FAILED


# --- creates and polls that fail -----------------------------------------------------------


def test_a_create_whose_answer_is_lost_has_made_a_batch(simulator: Simulator) -> None:
    simulator.add_fault(DROPPED)
    with client_of(simulator) as client:
        with pytest.raises(httpx2.TransportError):
            client.batches.create(model=MODEL, src=inline("a"), config={"display_name": "Mine"})
        (found,) = client.batches.list()
        assert found.display_name == "Mine"
        assert finished(client, found).state is types.JobState.JOB_STATE_SUCCEEDED


def test_the_sync_sdk_does_not_try_again_after_a_reset(simulator: Simulator) -> None:
    """Its retries are for refused connections, timeouts and statuses alone."""
    simulator.add_fault(DROPPED)
    with client_of(simulator, retry_options=RETRIES) as client:
        with pytest.raises(httpx2.ReadError):
            client.batches.create(model=MODEL, src=inline("a"))
        assert len(list(client.batches.list())) == 1


async def test_an_async_sdk_that_is_told_to_try_again_makes_two_batches(
    simulator: Simulator,
) -> None:
    simulator.add_fault(DROPPED)
    async with client_of(simulator, retry_options=RETRIES).aio as client:
        await client.batches.create(model=MODEL, src=inline("a"), config={"display_name": "Mine"})
        await two_of(simulator, client)


async def test_an_async_sdk_tries_again_by_itself_and_makes_two_batches(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over aiohttp it does so though nobody set any retries, after 1 to 10 seconds."""
    monkeypatch.setattr("google.genai._api_client.random.randint", lambda *_: -1)
    simulator.add_fault(DROPPED)
    async with client_of(simulator).aio as client:
        await client.batches.create(model=MODEL, src=inline("a"), config={"display_name": "Mine"})
        await two_of(simulator, client)


async def two_of(simulator: Simulator, client: AsyncClient) -> None:
    """Check that two equal batches were made of one create, and that both are run and billed."""
    jobs = [job async for job in await client.batches.list()]
    assert [job.display_name for job in jobs] == ["Mine", "Mine"]
    while not all(job.done for job in jobs):
        jobs = [await client.batches.get(name=str(job.name)) for job in jobs]
    executed = [record for record in simulator.books.records if record.executed]
    assert len(executed) == 2
    assert len({record.identity for record in executed}) == 1
    ((first, second),) = simulator.books.repeated_creates("batch")
    assert {first.name, second.name} == {job.name for job in jobs}


@pytest.mark.parametrize(
    ("status", "kind", "word"),
    [
        (429, errors.ClientError, "RESOURCE_EXHAUSTED"),
        (500, errors.ServerError, "INTERNAL"),
        (503, errors.ServerError, "UNAVAILABLE"),
    ],
)
def test_a_create_that_is_refused_makes_nothing(
    simulator: Simulator, status: int, kind: type[errors.APIError], word: str
) -> None:
    simulator.add_fault(fault("status", status=status, operation="batches.create", times=1))
    with client_of(simulator) as client:
        with pytest.raises(kind) as caught:
            client.batches.create(model=MODEL, src=inline("a"))
        assert (caught.value.code, caught.value.status) == (status, word)
        assert list(client.batches.list()) == []


def test_a_poll_that_fails_is_no_failed_batch(simulator: Simulator) -> None:
    name = create(simulator, raw_inline("a")).json()["name"]
    simulator.add_fault(fault("reset_in_body", operation="batches.get", times=1))
    with client_of(simulator) as client:
        with pytest.raises(httpx2.TransportError):
            client.batches.get(name=name)
        assert finished(client, client.batches.get(name=name)).dest is not None


def test_a_stale_list_leaves_out_what_was_made_a_moment_ago(simulator: Simulator) -> None:
    frozen(simulator)
    simulator.add_fault(fault("stale_list", operation="batches.list", seconds=60))
    name = create(simulator, raw_inline("a")).json()["name"]
    with client_of(simulator) as client:
        assert list(client.batches.list()) == []
        assert client.batches.get(name=name).name == name
        simulator.advance(61)
        assert [job.name for job in client.batches.list()] == [name]


def test_a_download_that_is_cut_off_is_seen(simulator: Simulator) -> None:
    simulator.add_fault(fault("reset_in_body", operation="files.download", times=1))
    with pytest.raises(httpx2.TransportError):
        file_results(simulator)


def test_one_seed_befalls_the_same_lines(simulator: Simulator) -> None:
    def shuffled() -> list[str]:
        simulator.reset()
        simulator.add_fault(fault("batch_shuffled"))
        return keys_in(results_of(simulator, create(simulator, raw_inline(*KEYS)).json()["name"]))

    assert shuffled() == shuffled()


def test_a_wrong_key_sees_nothing(simulator: Simulator) -> None:
    name = create(simulator, raw_inline("a")).json()["name"]
    response = raw(simulator, "GET", f"/v1beta/{name}", key="wrong")
    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
