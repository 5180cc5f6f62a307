"""Batches, with Google's SDK as the judge."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import errors, types
from google.genai._common import ExperimentalWarning
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
from tests.contract.simulator.gemini_sdk import MODEL, client_of, fault, fields_of, raw
from tests.sdk_coverage import covers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google import genai

    from batch_llm.testing.simulator import Simulator

# google-genai subclasses aiohttp's session, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

EMBEDDING_MODEL = "gemini-embedding-001"
CREATE = "POST /{version}/models/{model}:batchGenerateContent"
EMBED = "POST /{version}/models/{model}:asyncBatchEmbedContent"
GET = "GET /{version}/batches/{id}"
LIST = "GET /{version}/batches"
CANCEL = "POST /{version}/batches/{id}:cancel"
DELETE = "DELETE /{version}/batches/{id}"


def uploaded(client: genai.Client, lines: Iterable[object]) -> str:
    content = b"".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    )
    file = client.files.upload(file=io.BytesIO(content), config={"mime_type": "application/jsonl"})
    return str(file.name)


def file_lines(*keys: str) -> list[dict[str, Any]]:
    return [{"key": key, "request": asking(key)} for key in keys]


def texts_of(job: types.BatchJob) -> list[str | None]:
    assert job.dest is not None
    assert job.dest.inlined_responses is not None
    return [
        one.response.text if one.response is not None else None
        for one in job.dest.inlined_responses
    ]


def keys_of(job: types.BatchJob) -> list[str | None]:
    assert job.dest is not None
    assert job.dest.inlined_responses is not None
    return [(one.metadata or {}).get("key") for one in job.dest.inlined_responses]


# --- what is set in each state -------------------------------------------------------------

# google.genai.types.BatchJob, and what google.genai.batches._BatchJob_from_mldev reads of the
# wire: `start_time`, `src`, `completion_stats`, `output_info` and `error` belong to the other
# platform, or are dropped by the SDK.
ALWAYS = {"name", "display_name", "state", "create_time", "update_time", "model"}
FIELDS = {
    "JOB_STATE_PENDING": ALWAYS,
    "JOB_STATE_RUNNING": ALWAYS,
    "JOB_STATE_SUCCEEDED": ALWAYS | {"end_time", "dest"},
    "JOB_STATE_FAILED": ALWAYS | {"end_time"},
    "JOB_STATE_CANCELLED": ALWAYS | {"end_time"},
    "JOB_STATE_EXPIRED": ALWAYS | {"end_time"},
}
# google.rpc operations and the REST reference of GenerateContentBatch; an operation that is not
# done has neither `done` nor a result, one that is done has `response` or `error`.
METADATA = {
    "@type",
    "model",
    "displayName",
    "createTime",
    "updateTime",
    "batchStats",
    "state",
    "name",
}
OPERATION = {
    "BATCH_STATE_PENDING": (set(), set()),
    "BATCH_STATE_RUNNING": (set(), set()),
    "BATCH_STATE_SUCCEEDED": ({"done", "response"}, {"endTime", "output"}),
    "BATCH_STATE_FAILED": ({"done", "error"}, {"endTime"}),
    "BATCH_STATE_CANCELLED": ({"done", "error"}, {"endTime"}),
    "BATCH_STATE_EXPIRED": ({"done", "error"}, {"endTime"}),
}
FAULTS = {"FAILED": "batch_failed", "EXPIRED": "batch_expired"}


def batch_in(simulator: Simulator, state: str) -> str:
    """Make a batch, bring it into a state, and return its name."""
    frozen(simulator)
    if (kind := FAULTS.get(state)) is not None:
        simulator.add_fault(fault(kind))
    sent = create(simulator, raw_inline("a", "b"), display_name="Mine").json()
    name = str(sent["name"])
    if state == "CANCELLED":
        raw(simulator, "POST", f"/v1beta/{name}:cancel")
    if state == "PENDING":
        return name
    # In small steps where a state is on the way, and could be jumped over.
    step = 10 if state == "RUNNING" else 3_600
    until(
        simulator,
        lambda: operation(simulator, name)["metadata"]["state"],
        lambda seen: seen == f"BATCH_STATE_{state}",
        step,
    )
    return name


@pytest.mark.parametrize("state", FIELDS)
def test_in_each_state_the_documented_fields_are_set(simulator: Simulator, state: str) -> None:
    name = batch_in(simulator, state.removeprefix("JOB_STATE_"))
    with client_of(simulator) as client:
        job = client.batches.get(name=name)
    assert fields_of(job).keys() == FIELDS[state]
    assert job.state is types.JobState(state)
    assert job.done is (state not in ("JOB_STATE_PENDING", "JOB_STATE_RUNNING"))
    assert (job.name, job.display_name, job.model) == (name, "Mine", f"models/{MODEL}")
    assert job.create_time is not None
    assert job.update_time is not None
    assert job.create_time <= job.update_time
    if job.end_time is not None:
        assert job.create_time < job.end_time == job.update_time
    if job.dest is not None:
        assert fields_of(job.dest).keys() == {"inlined_responses"}


@pytest.mark.parametrize("state", OPERATION)
def test_in_each_state_the_operation_is_told_as_it_is_documented(
    simulator: Simulator, state: str
) -> None:
    name = batch_in(simulator, state.removeprefix("BATCH_STATE_"))
    seen = operation(simulator, name)
    outer, inner = OPERATION[state]
    assert seen.keys() == {"name", "metadata"} | outer
    assert seen["metadata"].keys() == METADATA | inner
    assert seen["name"] == seen["metadata"]["name"] == name
    kind = "type.googleapis.com/google.ai.generativelanguage.v1main.GenerateContentBatch"
    assert seen["metadata"]["@type"] == kind
    if "response" in seen:
        output = seen["metadata"]["output"]
        assert seen["response"] == {"@type": f"{kind}Output", **output}


def test_what_is_counted_is_told_as_text_and_zeros_are_left_out(simulator: Simulator) -> None:
    frozen(simulator)
    simulator.add_fault(fault("status", status=500, lane="batch", custom_id="b"))
    sent = create(simulator, raw_inline("a", "b")).json()
    assert sent["metadata"]["batchStats"] == {"requestCount": "2", "pendingRequestCount": "2"}
    name = sent["name"]
    seen = ended(simulator, name, step=600)
    assert seen["metadata"]["batchStats"] == {
        "requestCount": "2",
        "successfulRequestCount": "1",
        "failedRequestCount": "1",
    }


def test_counts_grow_while_a_batch_runs(simulator: Simulator) -> None:
    frozen(simulator)
    name = create(simulator, raw_inline(*map(str, range(10)))).json()["name"]

    def is_half_way(seen: dict[str, Any]) -> bool:
        return "successfulRequestCount" in seen["metadata"]["batchStats"]

    seen = until(simulator, lambda: operation(simulator, name), is_half_way, step=10)
    assert seen["metadata"]["state"] == "BATCH_STATE_RUNNING"
    stats = {key: int(count) for key, count in seen["metadata"]["batchStats"].items()}
    assert 0 < stats["successfulRequestCount"] < 10
    assert stats["successfulRequestCount"] + stats["pendingRequestCount"] == 10


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("FAILED", 13, "The batch failed."),
        ("CANCELLED", 1, "The operation was cancelled."),
        ("EXPIRED", 4, "Deadline expired before operation could complete."),
    ],
)
def test_a_batch_that_ended_badly_says_why(
    simulator: Simulator, state: str, code: int, words: str
) -> None:
    seen = operation(simulator, batch_in(simulator, state))
    assert seen["error"] == {"code": code, "message": words}


def test_a_batch_without_a_display_name_has_none(simulator: Simulator) -> None:
    assert "displayName" not in create(simulator, raw_inline("a")).json()["metadata"]


# --- inline --------------------------------------------------------------------------------


@covers("gemini", CREATE, "batches.create")
@covers("gemini", GET, "batches.get")
def test_inline_results_come_with_their_metadata_in_order(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        job = client.batches.create(
            model=MODEL, src=inline("a", "b", "c"), config={"display_name": "Mine"}
        )
        assert job.state is types.JobState.JOB_STATE_PENDING
        job = finished(client, job)
    assert job.state is types.JobState.JOB_STATE_SUCCEEDED
    assert keys_of(job) == ["a", "b", "c"]
    assert texts_of(job) == ["say a", "say b", "say c"]
    assert job.dest is not None
    assert job.dest.inlined_responses is not None
    for one in job.dest.inlined_responses:
        assert fields_of(one).keys() == {"response", "metadata"}
        assert one.response is not None
        assert one.response.usage_metadata is not None
        assert one.response.usage_metadata.prompt_token_count


def test_all_of_the_metadata_is_given_back(simulator: Simulator) -> None:
    metadata = {"key": "a", "run": "7", "ünï": "x"}
    requests = [{"request": asking("a"), "metadata": metadata}]
    seen = ended(simulator, create(simulator, requests).json()["name"])
    (one,) = seen["response"]["inlinedResponses"]["inlinedResponses"]
    assert one.keys() == {"response", "metadata"}
    assert one["metadata"] == metadata


def test_a_request_without_metadata_has_a_result_without(simulator: Simulator) -> None:
    requests = [{"request": asking("a")}, {"request": asking("b"), "metadata": {"key": 7}}]
    seen = ended(simulator, create(simulator, requests).json()["name"])
    first, second = seen["response"]["inlinedResponses"]["inlinedResponses"]
    assert first.keys() == {"response"}
    assert second["metadata"] == {"key": 7}


def test_the_configuration_of_a_line_is_obeyed(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        job = client.batches.create(
            model=MODEL, src=inline("a", max_output_tokens=1, system_instruction="be brief")
        )
        job = finished(client, job)
    assert texts_of(job) == ["say "]


def test_snake_case_is_taken_as_googles_own_examples_have_it(simulator: Simulator) -> None:
    body = {
        "batch": {
            "display_name": "Mine",
            "input_config": {"requests": {"requests": raw_inline("a")}},
        }
    }
    path = f"/v1beta/models/{MODEL}:batchGenerateContent"
    sent = raw(simulator, "POST", path, json=body).json()
    assert sent["metadata"]["displayName"] == "Mine"
    assert ended(simulator, sent["name"])["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"


# --- by file -------------------------------------------------------------------------------


@covers("gemini", CREATE, "batches.create")
def test_lines_of_a_file_come_back_in_a_file_with_their_keys(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        source = uploaded(client, file_lines("a", "b"))
        job = finished(client, client.batches.create(model=MODEL, src=source))
        assert job.dest is not None
        assert fields_of(job.dest).keys() == {"file_name"}
        name = str(job.dest.file_name)
        assert name == f"files/batch-{str(job.name).removeprefix('batches/')}"
        lines = [json.loads(line) for line in client.files.download(file=name).splitlines()]
    assert [line.keys() for line in lines] == [{"response", "key"}] * 2
    assert [line["key"] for line in lines] == ["a", "b"]
    for line in lines:
        answer = types.GenerateContentResponse.model_validate(line["response"])
        assert answer.text == f"say {line['key']}"
    seen = operation(simulator, str(job.name))
    assert seen["metadata"]["inputConfig"] == {"fileName": source}
    assert seen["metadata"]["output"] == {"responsesFile": name}


def test_a_line_without_a_key_has_a_result_without(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        source = uploaded(client, [{"request": asking("a")}, b"\n"])
        job = finished(client, client.batches.create(model=MODEL, src=source))
        assert job.dest is not None
        (line,) = client.files.download(file=str(job.dest.file_name)).splitlines()
    assert json.loads(line).keys() == {"response"}


@pytest.mark.parametrize(
    ("bad", "number"),
    [(b"{\n", 2), (b"[]\n", 2), (b'{"key": 3, "request": {}}\n', 2), (b'{"key": "x"}\n', 2)],
)
def test_a_file_with_a_line_that_is_none_fails_the_batch(
    simulator: Simulator, bad: bytes, number: int
) -> None:
    with client_of(simulator) as client:
        source = uploaded(client, [*file_lines("a"), bad])
        job = client.batches.create(model=MODEL, src=source)
        assert job.state is types.JobState.JOB_STATE_PENDING
        job = finished(client, job)
    assert job.state is types.JobState.JOB_STATE_FAILED
    error = operation(simulator, str(job.name))["error"]
    assert error["code"] == 3
    assert source in error["message"]
    assert f"Line {number} " in error["message"]
    assert not [record for record in simulator.books.records if record.executed]


def test_a_file_without_lines_fails_the_batch(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        job = finished(client, client.batches.create(model=MODEL, src=uploaded(client, [b"\n"])))
    assert job.state is types.JobState.JOB_STATE_FAILED


# --- embeddings ----------------------------------------------------------------------------


def vectors_of(job: types.BatchJob) -> list[list[float] | None]:
    assert job.dest is not None
    assert fields_of(job.dest).keys() == {"inlined_embed_content_responses"}
    assert job.dest.inlined_embed_content_responses is not None
    found = []
    for one in job.dest.inlined_embed_content_responses:
        assert fields_of(one).keys() == {"response"}
        assert one.response is not None
        assert fields_of(one.response).keys() == {"embedding", "token_count"}
        assert one.response.embedding is not None
        found.append(one.response.embedding.values)
    return found


@covers("gemini", EMBED, "batches.create_embeddings")
def test_texts_are_embedded_in_a_batch(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        with pytest.warns(ExperimentalWarning):
            job = client.batches.create_embeddings(
                model=EMBEDDING_MODEL,
                src={
                    "inlined_requests": {
                        "contents": ["one", "two"],
                        "config": {"output_dimensionality": 8},
                    }
                },
                config={"display_name": "Mine"},
            )
        job = finished(client, job)
        live = client.models.embed_content(
            model=EMBEDDING_MODEL, contents="one", config={"output_dimensionality": 8}
        )
    assert live.embeddings is not None
    first, second = vectors_of(job)
    assert first == live.embeddings[0].values
    assert second != first
    kind = operation(simulator, str(job.name))["metadata"]["@type"]
    assert kind.endswith("EmbedContentBatch")


@covers("gemini", EMBED, "batches.create_embeddings")
async def test_a_file_of_texts_is_embedded_in_a_batch(simulator: Simulator) -> None:
    line = {
        "key": "a",
        "request": {"content": {"parts": [{"text": "one"}]}, "output_dimensionality": 8},
    }
    async with client_of(simulator).aio as client:
        file = await client.files.upload(
            file=io.BytesIO(json.dumps(line).encode()), config={"mime_type": "application/jsonl"}
        )
        with pytest.warns(ExperimentalWarning):
            job = await client.batches.create_embeddings(
                model=EMBEDDING_MODEL, src={"file_name": file.name}
            )
        while not job.done:
            job = await client.batches.get(name=str(job.name))
        assert job.dest is not None
        content = await client.files.download(file=str(job.dest.file_name))
    result = json.loads(content)
    assert result["key"] == "a"
    assert len(result["response"]["embedding"]["values"]) == 8


# --- async, lists, cancel, delete ----------------------------------------------------------


@covers("gemini", CREATE, "batches.create")
@covers("gemini", GET, "batches.get")
@covers("gemini", LIST, "batches.list")
@covers("gemini", CANCEL, "batches.cancel")
@covers("gemini", DELETE, "batches.delete")
async def test_the_async_client_does_the_same(simulator: Simulator) -> None:
    frozen(simulator)
    async with client_of(simulator).aio as client:
        job = await client.batches.create(
            model=MODEL, src=inline("a"), config={"display_name": "Mine"}
        )
        name = str(job.name)
        assert fields_of(job).keys() == FIELDS["JOB_STATE_PENDING"]
        assert fields_of(await client.batches.get(name=name)) == fields_of(job)
        assert [one.name async for one in await client.batches.list()] == [name]
        await client.batches.cancel(name=name)
        while not job.done:
            simulator.advance(61)
            job = await client.batches.get(name=name)
        assert job.state is types.JobState.JOB_STATE_CANCELLED
        deleted = await client.batches.delete(name=name)
        assert fields_of(deleted).keys() == {"sdk_http_response"}
        with pytest.raises(errors.ClientError) as caught:
            await client.batches.get(name=name)
        assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")


@covers("gemini", LIST, "batches.list")
def test_a_list_is_paged_newest_first(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        names = [client.batches.create(model=MODEL, src=inline("a")).name for _ in range(5)][::-1]
        pager = client.batches.list(config={"page_size": 2})
        assert [job.name for job in pager.page] == names[:2]
        assert [job.name for job in client.batches.list(config={"page_size": 2})] == names
        assert [job.name for job in client.batches.list()] == names
    assert raw(simulator, "GET", "/v1beta/batches?pageSize=-1").status_code == 400


def test_a_list_does_not_bring_the_inline_results_along(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        job = finished(client, client.batches.create(model=MODEL, src=inline("a")))
        (listed,) = client.batches.list()
    assert fields_of(listed).keys() == fields_of(job).keys() - {"dest"}


def test_an_empty_list_has_no_fields(simulator: Simulator) -> None:
    assert raw(simulator, "GET", "/v1beta/batches").json() == {}


def test_a_key_does_not_see_the_batches_of_another(simulator: Simulator) -> None:
    name = create(simulator, raw_inline("a")).json()["name"]
    with client_of(simulator, "other") as client:
        assert list(client.batches.list()) == []
        for call in (client.batches.get, client.batches.cancel, client.batches.delete):
            with pytest.raises(errors.ClientError) as caught:
                call(name=name)
            assert caught.value.code == 404
            assert caught.value.message == "Requested entity was not found."


@covers("gemini", CANCEL, "batches.cancel")
def test_a_batch_that_is_cancelled_runs_no_more_lines(simulator: Simulator) -> None:
    frozen(simulator)
    with client_of(simulator) as client:
        job = client.batches.create(model=MODEL, src=inline(*map(str, range(10))))
        name = str(job.name)
        until(
            simulator,
            lambda: operation(simulator, name)["metadata"]["batchStats"],
            lambda stats: "successfulRequestCount" in stats,
            step=10,
        )
        client.batches.cancel(name=name)
        assert client.batches.get(name=name).state is types.JobState.JOB_STATE_RUNNING
        seen = ended(simulator, name, step=61)
    stats = seen["metadata"]["batchStats"]
    executed = [record for record in simulator.books.records if record.executed]
    assert int(stats["successfulRequestCount"]) == len(executed) < 10
    assert seen["metadata"]["state"] == "BATCH_STATE_CANCELLED"
    assert {record.fate for record in executed} == {"lost"}, "billed, and nobody can read them"


def test_a_batch_by_file_that_is_cancelled_at_the_last_moment_writes_no_file(
    simulator: Simulator,
) -> None:
    frozen(simulator)
    with client_of(simulator) as client:
        source = uploaded(client, file_lines("a"))
        name = str(client.batches.create(model=MODEL, src=source).name)
        until(
            simulator,
            lambda: operation(simulator, name)["metadata"]["batchStats"],
            lambda stats: "pendingRequestCount" not in stats,
            step=10,
        )
        client.batches.cancel(name=name)
        seen = ended(simulator, name, step=61)
        assert seen["metadata"]["state"] == "BATCH_STATE_CANCELLED"
        assert [file.name for file in client.files.list()] == [source]


def test_a_batch_that_has_ended_stays_as_it_is(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        job = finished(client, client.batches.create(model=MODEL, src=inline("a")))
        client.batches.cancel(name=str(job.name))
        again = client.batches.get(name=str(job.name))
    assert again.state is types.JobState.JOB_STATE_SUCCEEDED


@covers("gemini", DELETE, "batches.delete")
def test_a_batch_is_deleted_once(simulator: Simulator) -> None:
    name = create(simulator, raw_inline("a")).json()["name"]
    with client_of(simulator) as client:
        assert fields_of(client.batches.delete(name=name)).keys() == {"sdk_http_response"}
        with pytest.raises(errors.ClientError) as caught:
            client.batches.delete(name=name)
    assert caught.value.code == 404


# --- what is refused -----------------------------------------------------------------------


def refused(simulator: Simulator, body: object, model: str = MODEL) -> dict[str, Any]:
    path = f"/v1beta/models/{model}:batchGenerateContent"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = raw(simulator, "POST", path, content=content)
    error: dict[str, Any] = response.json()["error"]
    assert error["code"] == response.status_code >= 400
    assert raw(simulator, "GET", "/v1beta/batches").json() == {}
    return error


def body_of(**batch: object) -> dict[str, object]:
    return {"batch": batch}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"batch": {"x": ' + b"[" * 100_000,
        b'{"batch": {"displayName": "\\ud800", "inputConfig": {"fileName": "files/x"}}}',
        b"[]",
        {},
        {"batch": None},
        body_of(),
        body_of(inputConfig={}),
        body_of(inputConfig={"requests": {}}),
        body_of(inputConfig={"requests": {"requests": []}}),
        body_of(inputConfig={"requests": {"requests": None}}),
        body_of(inputConfig={"requests": {"requests": [{}]}}),
        body_of(inputConfig={"requests": {"requests": [{"request": {}, "metadata": 3}]}}),
        body_of(inputConfig={"fileName": "files/x", "requests": {"requests": raw_inline("a")}}),
        body_of(inputConfig={"fileName": 3}),
        body_of(displayName=3, inputConfig={"requests": {"requests": raw_inline("a")}}),
        body_of(displayName="n" * 129, inputConfig={"requests": {"requests": raw_inline("a")}}),
    ],
)
def test_a_request_that_is_none_is_refused(simulator: Simulator, body: object) -> None:
    error = refused(simulator, body)
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"]


def test_the_longest_display_name_is_taken(simulator: Simulator) -> None:
    sent = create(simulator, raw_inline("a"), display_name="n" * 128).json()
    assert sent["metadata"]["displayName"] == "n" * 128


@pytest.mark.parametrize("model", ["gpt-5", EMBEDDING_MODEL])
def test_a_model_that_writes_nothing_is_refused(simulator: Simulator, model: str) -> None:
    body = body_of(inputConfig={"requests": {"requests": raw_inline("a")}})
    error = refused(simulator, body, model)
    assert (error["code"], error["status"]) == (404, "NOT_FOUND")
    assert f"models/{model} is not found for API version v1beta" in error["message"]


def test_a_model_that_writes_embeds_nothing(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        with pytest.warns(ExperimentalWarning), pytest.raises(errors.ClientError) as caught:
            client.batches.create_embeddings(
                model=MODEL, src={"inlined_requests": {"contents": ["one"]}}
            )
    assert caught.value.code == 404


def test_an_inline_batch_has_20_megabytes_at_most(simulator: Simulator) -> None:
    body = body_of(
        inputConfig={"requests": {"requests": [{"request": asking("x" * 20 * 1024**2)}]}}
    )
    error = refused(simulator, body)
    assert error["code"] == 400
    assert error["message"] == "Request payload size exceeds the limit: 20971520 bytes."


def test_a_file_that_is_not_there_is_refused(simulator: Simulator) -> None:
    with client_of(simulator) as client, pytest.raises(errors.ClientError) as caught:
        client.batches.create(model=MODEL, src="files/nothing")
    assert (caught.value.code, caught.value.status) == (403, "PERMISSION_DENIED")
    assert caught.value.message == (
        "You do not have permission to access the File nothing or it may not exist."
    )


def test_a_file_of_another_key_is_refused(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        source = uploaded(client, file_lines("a"))
    with client_of(simulator, "other") as client, pytest.raises(errors.ClientError) as caught:
        client.batches.create(model=MODEL, src=source)
    assert caught.value.code == 403


def test_a_file_that_is_not_active_is_refused(simulator: Simulator) -> None:
    frozen(simulator)
    with client_of(simulator) as client:
        file = client.files.upload(file=io.BytesIO(b"x"), config={"mime_type": "video/mp4"})
        with pytest.raises(errors.ClientError) as caught:
            client.batches.create(model=MODEL, src=str(file.name))
    assert (caught.value.code, caught.value.status) == (400, "FAILED_PRECONDITION")


# --- lines that fail, and the books --------------------------------------------------------


def test_a_line_that_is_refused_is_an_entry_with_an_error(simulator: Simulator) -> None:
    requests = [*raw_inline("a"), {"request": {"contents": []}, "metadata": {"key": "b"}}]
    seen = ended(simulator, create(simulator, requests).json()["name"])
    assert seen["metadata"]["state"] == "BATCH_STATE_SUCCEEDED"
    good, bad = seen["response"]["inlinedResponses"]["inlinedResponses"]
    assert good.keys() == {"response", "metadata"}
    assert bad.keys() == {"error", "metadata"}
    assert bad["metadata"] == {"key": "b"}
    assert bad["error"].keys() == {"code", "message"}
    assert bad["error"]["code"] == 3, "a code of gRPC, not of HTTP"
    assert "contents" in bad["error"]["message"]


@pytest.mark.parametrize(
    "request_in_json",
    [
        b"null",
        b"3",
        b"[]",
        b'{"contents": 3}',
        b'{"contents": [{"parts": [{"text": "\xff"}]}]}',
        b'{"contents": [{"parts": [{"text": "\\ud800"}]}]}',
        b'{"contents": [' * 2_000,
        b'{"nothing": 3}',
        b'{"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"temperature": 9}}',
        b'{"contents": [{"parts": [{"fileData": {"fileUri": "files/nothing"}}]}]}',
    ],
)
@pytest.mark.parametrize(
    ("model", "action"),
    [(MODEL, "batchGenerateContent"), (EMBEDDING_MODEL, "asyncBatchEmbedContent")],
)
def test_whatever_a_line_asks_spoils_no_other(
    simulator: Simulator, request_in_json: bytes, model: str, action: str
) -> None:
    good = json.dumps(asking("a") if model == MODEL else {"content": {"parts": [{"text": "a"}]}})
    head = b'{"batch": {"inputConfig": {"requests": {"requests": [{"request": '
    body = head + request_in_json + b'}, {"request": ' + good.encode() + b"}]}}}}"
    sent = raw(simulator, "POST", f"/v1beta/models/{model}:{action}", content=body)
    if sent.status_code == 400:  # that is no JSON at all
        return
    seen = ended(simulator, sent.json()["name"])
    bad, fine = seen["response"]["inlinedResponses"]["inlinedResponses"]
    assert bad.keys() == {"error"}
    assert bad["error"]["code"] in (3, 7)
    assert fine.keys() == {"response"}


def test_the_sdk_reads_the_error_of_a_line(simulator: Simulator) -> None:
    simulator.add_fault(fault("status", status=503, lane="batch", custom_id="b"))
    with client_of(simulator) as client:
        job = finished(client, client.batches.create(model=MODEL, src=inline("a", "b")))
    assert job.dest is not None
    assert job.dest.inlined_responses is not None
    _, bad = job.dest.inlined_responses
    assert fields_of(bad).keys() == {"error", "metadata"}
    assert bad.error is not None
    assert fields_of(bad.error).keys() == {"code", "message"}
    assert bad.error.code == 14


def test_a_failed_line_of_a_file_keeps_its_key(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        source = uploaded(client, [{"key": "a", "request": {}}])
        job = finished(client, client.batches.create(model=MODEL, src=source))
        assert job.dest is not None
        (line,) = client.files.download(file=str(job.dest.file_name)).splitlines()
    result = json.loads(line)
    assert result.keys() == {"error", "key"}
    assert result["error"]["code"] == 3


def test_the_books_know_each_line(simulator: Simulator) -> None:
    simulator.add_fault(fault("status", status=500, lane="batch", custom_id="b"))
    with client_of(simulator) as client:
        job = finished(client, client.batches.create(model=MODEL, src=inline("a", "b")))
    first, second = simulator.books.records
    assert (first.provider, first.operation, first.model) == ("gemini", "generateContent", MODEL)
    assert (first.lane, first.custom_id, first.key) == ("batch", "a", "any")
    assert (first.fate, first.status, first.executed) == ("answered", 200, True)
    assert (second.custom_id, second.fate, second.status) == ("b", "failed", 500)
    assert second.executed is False
    assert job.dest is not None
    assert job.dest.inlined_responses is not None
    answer = job.dest.inlined_responses[0].response
    assert answer is not None
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count == first.usage.input_tokens > 0
    assert answer.usage_metadata.candidates_token_count == first.usage.output_tokens > 0


def test_lines_can_build_on_cached_content(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        cache = client.caches.create(
            model=MODEL,
            config={
                "contents": [{"role": "user", "parts": [{"text": "long " * 2_000}]}],
                "ttl": "86400s",
            },
        )
        job = client.batches.create(model=MODEL, src=inline("a", cached_content=cache.name))
        job = finished(client, job)
        assert job.dest is not None
        assert job.dest.inlined_responses is not None
        (one,) = job.dest.inlined_responses
        assert one.response is not None
        assert one.response.usage_metadata is not None
        assert cache.usage_metadata is not None
        cached = one.response.usage_metadata.cached_content_token_count
        assert cached == cache.usage_metadata.total_token_count
        gone = client.batches.create(
            model=MODEL, src=inline("a", cached_content="cachedContents/gone")
        )
        gone = finished(client, gone)
    assert gone.dest is not None
    assert gone.dest.inlined_responses is not None
    error = gone.dest.inlined_responses[0].error
    assert error is not None
    assert error.code == 7
    assert error.message == "CachedContent not found (or permission denied)"
