"""embedContent and batchEmbedContents, with Google's SDK as the judge."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from google.genai import errors, types
from tests.contract.simulator.gemini_sdk import client_of, raw, unknown_names
from tests.sdk_coverage import covers

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

MANY = "POST /{version}/models/{model}:batchEmbedContents"
MODEL = "gemini-embedding-001"
ONE = f"/v1beta/models/{MODEL}:embedContent"


def embed(simulator: Simulator, contents: Any, model: str = MODEL, **config: Any) -> Any:
    with client_of(simulator) as client:
        return client.models.embed_content(
            model=model, contents=contents, config=types.EmbedContentConfig(**config)
        )


def vectors(response: types.EmbedContentResponse) -> list[list[float]]:
    return [embedding.values or [] for embedding in response.embeddings or []]


@covers("gemini", MANY, "models.embed_content")
def test_one_vector_for_each_text(simulator: Simulator) -> None:
    response = embed(simulator, ["one", "two", "one"], output_dimensionality=3)
    first, second, third = vectors(response)
    assert first == third != second
    assert all(math.isclose(math.hypot(*vector), 1) for vector in (first, second))
    # What types.EmbedContentResponse has beyond this is of Google Cloud, as it says.
    fields = response.model_dump(mode="json", exclude_none=True, exclude={"sdk_http_response"})
    assert fields == {
        "embeddings": [{"values": first}, {"values": second}, {"values": first}],
        "usage_metadata": {
            "prompt_token_count": 15,
            "prompt_tokens_details": [{"modality": "TEXT", "token_count": 15}],
            "total_token_count": 15,
        },
    }


@covers("gemini", MANY, "models.embed_content")
async def test_vectors_for_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        response = await client.models.embed_content(model=MODEL, contents="one")
    assert vectors(response) == vectors(embed(simulator, "one"))
    assert len(vectors(response)[0]) == 3_072


def test_older_models_have_shorter_vectors(simulator: Simulator) -> None:
    (vector,) = vectors(embed(simulator, "one", "text-embedding-004"))
    assert len(vector) == 768


def test_one_content_without_the_sdk(simulator: Simulator) -> None:
    body = {"content": {"parts": [{"text": "one"}]}, "outputDimensionality": 3}
    sent = raw(simulator, "POST", ONE, json=body).json()
    (vector,) = vectors(embed(simulator, "one", output_dimensionality=3))
    assert sent["embedding"] == {"values": vector}
    assert not unknown_names(sent["usageMetadata"], types.UsageMetadata)


def test_the_books_bill_no_output(simulator: Simulator) -> None:
    embed(simulator, ["one", "two"])
    (record,) = simulator.books.records
    assert (record.operation, record.fate) == ("batchEmbedContents", "answered")
    assert (record.usage.input_tokens, record.usage.output_tokens) == (10, 0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "* EmbedContentRequest.content: content is empty.\n"),
        ({"content": {"parts": []}}, "* EmbedContentRequest.content: content is empty.\n"),
        (
            {"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 3_073},
            (
                "* EmbedContentRequest.output_dimensionality: output_dimensionality must be in the "
                "range [1, 3072].\n"
            ),
        ),
        (
            {"content": {"parts": [{}]}},
            (
                "* EmbedContentRequest.contents[0].parts[0].data: required oneof field 'data' must "
                "have one initialized field\n"
            ),
        ),
    ],
)
def test_what_cannot_be_embedded(simulator: Simulator, body: dict[str, Any], message: str) -> None:
    response = raw(simulator, "POST", ONE, json=body)
    assert response.json() == {
        "error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    }


@pytest.mark.parametrize(
    ("requests", "words"),
    [
        ([], "requests is not specified"),
        ([{"content": {"parts": [{"text": "a"}]}}], "the model must be models/gemini-embedding"),
        ([{"model": MODEL}] * 101, "at most 100 requests can be in one batch"),
    ],
)
def test_many_that_cannot_be_embedded(
    simulator: Simulator, requests: list[Any], words: str
) -> None:
    path = f"/v1beta/models/{MODEL}:batchEmbedContents"
    response = raw(simulator, "POST", path, json={"requests": requests})
    assert response.status_code == 400
    assert words in response.json()["error"]["message"]


def test_a_model_that_makes_words_makes_no_vectors(simulator: Simulator) -> None:
    with pytest.raises(errors.ClientError) as raised:
        embed(simulator, "one", "gemini-2.5-flash")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert "is not supported for batchEmbedContents" in str(raised.value.message)
