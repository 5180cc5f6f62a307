"""GET /models, with Google's SDK as the judge; what is set follows `google.genai.types.Model`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.genai import errors, types
from tests.contract.simulator.gemini_sdk import client_of, raw, unknown_names
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

LIST = "GET /{version}/models"
GET = "GET /{version}/models/{model}"
TUNED = "GET /{version}/tunedModels"
# Of the names on the wire, the SDK calls this one otherwise.
RENAMED = {"supportedGenerationMethods"}


def told(model: types.Model) -> dict[str, Any]:
    """Return every field that is set; the SDK adds an empty `tuned_model_info` to each model."""
    return model.model_dump(mode="json", exclude_none=True, exclude={"tuned_model_info"})


WRITER = {
    "name": "models/gemini-2.5-flash",
    "version": "001",
    "display_name": "Gemini 2.5 Flash",
    "description": "Simulated gemini-2.5-flash",
    "input_token_limit": 1_048_576,
    "output_token_limit": 65_536,
    "supported_actions": [
        "generateContent",
        "countTokens",
        "createCachedContent",
        "batchGenerateContent",
    ],
    "temperature": 1.0,
    "max_temperature": 2.0,
    "top_p": 0.95,
    "top_k": 64,
    "thinking": True,
}
EMBEDDER = {
    "name": "models/gemini-embedding-001",
    "version": "001",
    "display_name": "Gemini Embedding 001",
    "description": "Simulated gemini-embedding-001",
    "input_token_limit": 2_048,
    "output_token_limit": 1,
    "supported_actions": ["embedContent", "countTextTokens", "countTokens"],
}


@covers("gemini", GET, "models.get")
@pytest.mark.parametrize("model", [WRITER, EMBEDDER], ids=["writer", "embedder"])
def test_a_model(simulator: Simulator, model: dict[str, Any]) -> None:
    with client_of(simulator) as client:
        assert told(client.models.get(model=model["name"])) == model


@covers("gemini", GET, "models.get")
async def test_a_model_for_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        assert told(await client.models.get(model="gemini-2.5-flash")) == WRITER


def test_no_name_is_sent_that_the_sdk_does_not_know(simulator: Simulator) -> None:
    sent = raw(simulator, "GET", "/v1beta/models/gemini-2.5-flash").json()
    assert unknown_names(sent, types.Model) == RENAMED


def test_a_model_that_there_is_not(simulator: Simulator) -> None:
    with client_of(simulator) as client, pytest.raises(errors.ClientError) as raised:
        client.models.get(model="gpt-5")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")
    assert str(raised.value.message).startswith("models/gpt-5 is not found for API version v1,")


def names(models: Iterable[types.Model]) -> list[str]:
    return [str(model.name) for model in models]


@covers("gemini", LIST, "models.list")
def test_all_models(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        models = list(client.models.list())
    assert told(models[1]) == WRITER
    assert told(models[-1]) == EMBEDDER


@covers("gemini", LIST, "models.list")
async def test_all_models_page_by_page(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        pages = client.models.list(config={"page_size": 2})
        assert len(pages.page) == 2
        one_by_one = names(pages)
        assert one_by_one == names(client.models.list())
    async with client_of(simulator).aio as async_client:
        found = await async_client.models.list(config={"page_size": 4})
        assert [str(model.name) async for model in found] == one_by_one


@covers("gemini", TUNED, "models.list")
def test_nobody_tuned_a_model(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        assert names(client.models.list(config={"query_base": False})) == []


@covers("gemini", TUNED, "models.list")
async def test_nobody_tuned_a_model_for_the_async_client(simulator: Simulator) -> None:
    async with client_of(simulator).aio as client:
        tuned = await client.models.list(config={"query_base": False})
        assert [model async for model in tuned] == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("pageSize=many", "Invalid value at 'page_size' (TYPE_INT32), \"many\""),
        ("pageSize=-1", "page_size must be 0 or more, not -1."),
        ("pageToken=x", "Page token is not valid: use the nextPageToken of the page before."),
        ("pageToken=bGVmdCAtMQ==", ("Page token is not valid: use the nextPageToken of the page "
         "before.")),
    ],
)  # fmt: skip
def test_pages_that_there_are_not(simulator: Simulator, query: str, message: str) -> None:
    response = raw(simulator, "GET", f"/v1beta/models?{query}")
    assert response.json() == {
        "error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}
    }


def test_models_of_the_settings_are_there_too() -> None:
    with (
        Simulator(speed=10_000, models=("my-model",)) as simulator,
        client_of(simulator) as client,
    ):
        assert "models/my-model" in names(client.models.list())
        assert client.models.generate_content(model="my-model", contents="hello").text == "hello"
