"""OpenAI's endpoints as lines of batches use them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from batch_llm.testing.simulator import SimulatorSettings
from batch_llm.testing.simulator.call import Sender
from batch_llm.testing.simulator.openai.chat import ChatCompletions
from batch_llm.testing.simulator.openai.dialect import OpenAIDialect
from batch_llm.testing.simulator.openai.embeddings import Embeddings
from batch_llm.testing.simulator.openai.file_store import FileStore
from batch_llm.testing.simulator.openai.prompt_cache import PromptCache
from batch_llm.testing.simulator.openai.refusal import RefusedError
from batch_llm.testing.simulator.openai.response_input import Dialogue
from batch_llm.testing.simulator.openai.response_store import KeptResponse, ResponseStore
from batch_llm.testing.simulator.openai.responses import Responses
from batch_llm.testing.simulator.world import World

BODIES: dict[str, dict[str, Any]] = {
    "chat.completions": {
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
    },
    "responses": {"model": "gpt-4o", "input": "hello", "stream": True},
    "embeddings": {"model": "text-embedding-3-small", "input": "hello"},
}
LINE = Sender("k", lane="batch", custom_id="line-1")
TOKENS = {"chat.completions": 6, "responses": 6, "embeddings": 2}


@pytest.fixture
def world() -> World:
    return World(SimulatorSettings())


@pytest.fixture(params=BODIES)
def operation(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def endpoint(world: World, operation: str) -> Any:
    cache = PromptCache(world.clock)
    if operation == "embeddings":
        return Embeddings(world, OpenAIDialect())
    kind = ChatCompletions if operation == "chat.completions" else Responses
    return kind(world, OpenAIDialect(), cache, FileStore(world))


async def test_a_line_is_answered_whole(world: World, endpoint: Any, operation: str) -> None:
    body = json.dumps(BODIES[operation]).encode()
    response = await endpoint.answer(body, LINE)
    assert (response.status, response.pieces) == (200, None)
    assert json.loads(response.body)["object"]
    (record,) = world.books.records
    assert response.record is record
    assert (record.lane, record.custom_id, record.operation) == ("batch", "line-1", operation)
    assert record.executed


async def test_a_line_that_is_refused(world: World, endpoint: Any) -> None:
    response = await endpoint.answer(b'{"model": "claude"}', LINE)
    assert response.status == 404
    assert response.record is None
    assert not world.books.records


async def test_what_a_line_asks_is_known_before_it_runs(
    world: World, endpoint: Any, operation: str
) -> None:
    call = endpoint.first_call(json.dumps(BODIES[operation]).encode(), LINE)
    assert call.model == BODIES[operation]["model"]
    assert call.input_tokens == TOKENS[operation]
    assert call.prompt == "hello"
    assert not world.books.records
    with pytest.raises(RefusedError):
        endpoint.first_call(b"{}", LINE)


def test_only_the_latest_responses_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch_llm.testing.simulator.openai.response_store._MOST", 2)
    shelf = ResponseStore()
    for name in "abc":
        shelf.put("k", KeptResponse({"id": name, "created_at": 0}, [], Dialogue()))
    with pytest.raises(RefusedError, match="'a' not found"):
        shelf.get("k", "a")
    assert [shelf.get("k", name).response["id"] for name in "bc"] == ["b", "c"]
