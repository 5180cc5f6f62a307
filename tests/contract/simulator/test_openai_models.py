"""Models, with OpenAI's SDK as the judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from openai import NotFoundError
from tests.contract.simulator.openai_sdk import async_client_of, client_of, told
from tests.sdk_coverage import covers

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from openai.types import Model

LIST = "GET /models"
ONE = "GET /models/{model}"

# What the real API sets: all fields of the SDK's type openai.types.Model; the date of a shutdown
# is null where none was announced.
DATED = {
    "id": "gpt-4o-2024-08-06",
    "created": 1_722_902_400,
    "object": "model",
    "owned_by": "system",
    "shutdown_date": None,
}


def check_listed(models: list[Model]) -> None:
    names = [model.id for model in models]
    assert len(names) == len(set(names))
    assert {"gpt-4o", "gpt-5", "o3", "text-embedding-3-small"} <= set(names)
    assert [told(model) for model in models if model.id == DATED["id"]] == [DATED]


@covers("openai", LIST, "models.list")
@covers("openai", ONE, "models.retrieve")
def test_models(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        models = list(client.models.list())
        check_listed(models)
        assert [client.models.retrieve(model.id) for model in models] == models


@covers("openai", LIST, "models.list")
@covers("openai", ONE, "models.retrieve")
async def test_models_for_an_async_client(simulator: Simulator) -> None:
    async with async_client_of(simulator) as client:
        check_listed([model async for model in client.models.list()])
        assert told(await client.models.retrieve("gpt-4o-2024-08-06")) == DATED


def test_a_model_that_is_none(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        with pytest.raises(NotFoundError, match="The model 'claude' does not exist") as caught:
            client.models.retrieve("claude")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


def test_a_name_with_digits_that_are_no_date(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        assert client.models.retrieve("gpt-4o-2024-99-99").id == "gpt-4o-2024-99-99"


def test_a_model_of_the_settings_is_listed() -> None:
    with Simulator(models=("llama",)) as simulator, client_of(simulator) as client:
        assert client.models.retrieve("llama").owned_by == "simulator"
        assert "llama" in [model.id for model in client.models.list()]
