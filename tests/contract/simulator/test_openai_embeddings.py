"""Embeddings, with OpenAI's SDK as the judge."""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

import pytest
from openai import BadRequestError, NotFoundError, PermissionDeniedError
from tests.contract.simulator.openai_sdk import async_client_of, client_of, post, told, user
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Fault, Simulator

ENDPOINT = "POST /embeddings"
MODEL = "text-embedding-3-small"


# What the real API sets: all fields of the SDK's types openai.types.CreateEmbeddingResponse and
# Embedding; the vectors are left out here.
def table(tokens: int, count: int) -> dict[str, Any]:
    return {
        "data": [{"index": index, "object": "embedding"} for index in range(count)],
        "model": MODEL,
        "object": "list",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


@covers("openai", ENDPOINT, "embeddings.create")
def test_what_an_answer_holds(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.embeddings.create(model=MODEL, input=["12345678", "1234"])
    seen = told(answer)
    for embedding in seen["data"]:
        vector = embedding.pop("embedding")
        assert len(vector) == 1_536
        assert math.hypot(*vector) == pytest.approx(1)
    assert seen == table(tokens=3, count=2)
    (record,) = simulator.books.records
    assert (record.usage.input_tokens, record.usage.output_tokens) == (3, 0)


@covers("openai", ENDPOINT, "embeddings.create")
async def test_what_an_answer_holds_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        answer = await client.embeddings.create(model="text-embedding-3-large", input="hello")
    assert len(answer.data[0].embedding) == 3_072
    assert answer.model == "text-embedding-3-large"


@covers("openai", ENDPOINT, "embeddings.create")
def test_the_same_text_has_the_same_vector_in_both_formats(simulator: Simulator) -> None:
    with client_of(simulator) as client:

        def vector(text: str, **more: Any) -> list[float]:
            return client.embeddings.create(model=MODEL, input=text, **more).data[0].embedding

        packed = vector("hello")
        assert vector("hello") == packed
        assert vector("other") != packed
        assert vector("hello", encoding_format="float") == pytest.approx(packed, abs=1e-6)
        short = vector("hello", dimensions=8)
    assert len(short) == 8
    assert math.hypot(*short) == pytest.approx(1)
    assert short == pytest.approx([part / math.hypot(*packed[:8]) for part in packed[:8]], abs=1e-5)


def test_the_format_that_was_asked_for_is_sent(simulator: Simulator) -> None:
    def sent(**more: str) -> Any:
        body = {"model": MODEL, "input": "hello", **more}
        return post(simulator, "/embeddings", body).json()["data"][0]["embedding"]

    assert sent() == sent(encoding_format="float")
    numbers = struct.unpack("<1536f", base64.b64decode(sent(encoding_format="base64")))
    assert sent() == pytest.approx(list(numbers), abs=1e-6)


@pytest.mark.parametrize(
    ("given", "tokens", "count"), [([1, 2, 3], 3, 1), ([[1, 2, 3], [4]], 4, 2)], ids=["one", "two"]
)
def test_inputs_of_token_numbers(simulator: Simulator, given: Any, tokens: int, count: int) -> None:
    with client_of(simulator) as client:
        answer = client.embeddings.create(model=MODEL, input=given)
    assert len(answer.data) == count
    assert answer.usage.prompt_tokens == tokens


def test_an_answer_without_vectors(simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind="empty"))
    with client_of(simulator) as client, pytest.raises(ValueError, match="No embedding data"):
        client.embeddings.create(model=MODEL, input="hello")


@covers("openai", ENDPOINT, "embeddings.create")
def test_the_most_inputs(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        answer = client.embeddings.create(model=MODEL, input=["a"] * 2_048, dimensions=2)
        assert len(answer.data) == 2_048
        with pytest.raises(
            BadRequestError, match=r"maximum length 2048, but got .* 2049"
        ) as caught:
            client.embeddings.create(model=MODEL, input=["a"] * 2_049)
    assert caught.value.code == "array_above_max_length"


# case -> (fields of the request, param, code, part of the message)
REFUSED: dict[str, tuple[dict[str, Any], str | None, str | None, str]] = {
    "no input": ({"input": None}, "input", "missing_required_parameter", "Missing"),
    "empty text": ({"input": ""}, None, None, "'$.input' is invalid"),
    "empty text among others": ({"input": ["a", ""]}, None, None, "'$.input' is invalid"),
    "no inputs": ({"input": []}, "input", "empty_array", "empty array"),
    "mixed inputs": ({"input": ["a", 7]}, None, None, "'$.input' is invalid"),
    "type of input": ({"input": {"a": 1}}, "input", "invalid_type", "an object"),
    "long text": ({"input": "x" * 4 * 8_193}, None, None, "maximum context length is 8192"),
    "long numbers": ({"input": [1] * 8_193}, "input", "array_above_max_length", "8193"),
    "all too long": (
        {"input": ["x" * 4 * 8_000] * 38},
        None,
        "max_tokens_per_request",
        "Requested 304000 tokens, max 300000 tokens per request",
    ),
    "format": ({"encoding_format": "hex"}, "encoding_format", "invalid_value", "'base64'"),
    "dimensions": ({"dimensions": 1_537}, None, None, "Must be less than or equal to 1536"),
    "no dimensions": ({"dimensions": 0}, "dimensions", "integer_below_min_value", ">= 1"),
    "fixed dimensions": (
        {"model": "text-embedding-ada-002", "dimensions": 8},
        None,
        None,
        "does not support specifying dimensions",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(simulator: Simulator, case: str) -> None:
    fields, param, code, message = REFUSED[case]
    answer = post(simulator, "/embeddings", {"model": MODEL, "input": "a", **fields})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == (param, code)
    assert message in error["message"]


def test_models_that_make_no_vectors(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        with pytest.raises(PermissionDeniedError, match="not allowed to generate embeddings"):
            client.embeddings.create(model="gpt-4o", input="a")
        with pytest.raises(NotFoundError):
            client.embeddings.create(model="voyage-3", input="a")
        with pytest.raises(PermissionDeniedError):
            client.responses.create(model=MODEL, input="a")
    body = {"model": MODEL, "messages": user("a")}
    refused = post(simulator, "/chat/completions", body)
    assert refused.status_code == 403
    assert refused.json()["error"]["type"] == "invalid_request_error"
