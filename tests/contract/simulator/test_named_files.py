"""Uploaded files that a request names: they must be there, and be the client's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from tests.contract.simulator import anthropic_sdk
from tests.contract.simulator.openai_sdk import MODEL, client_of, user

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_llm.testing.simulator import Simulator


@pytest.fixture
def client(simulator: Simulator) -> Iterator[openai.OpenAI]:
    with client_of(simulator) as client:
        yield client


def uploaded(client: openai.OpenAI) -> str:
    return client.files.create(file=("a.pdf", b"%PDF"), purpose="user_data").id


def chat(client: openai.OpenAI, identifier: str) -> Any:
    parts = [
        {"type": "text", "text": "Read it."},
        {"type": "file", "file": {"file_id": identifier}},
    ]
    return client.chat.completions.create(model=MODEL, messages=user(parts))


def respond(client: openai.OpenAI, identifier: str, kind: str, **more: Any) -> Any:
    parts: Any = [{"type": "input_text", "text": "See."}, {"type": kind, "file_id": identifier}]
    return client.responses.create(model=MODEL, input=[{"role": "user", "content": parts}], **more)


def test_a_chat_completion(simulator: Simulator, client: openai.OpenAI) -> None:
    mine = uploaded(client)
    assert chat(client, mine).choices
    for name in ("file-nope", mine + "x"):
        with pytest.raises(openai.NotFoundError, match=f"No such File object: {name}") as caught:
            chat(client, name)
        assert caught.value.param == "messages[0].content[1].file.file_id"
    with pytest.raises(openai.BadRequestError, match="Expected an ID that begins with 'file'"):
        chat(client, "nope")
    with client_of(simulator, key="another") as other, pytest.raises(openai.NotFoundError):
        chat(other, mine)


@pytest.mark.parametrize("kind", ["input_file", "input_image"])
def test_a_response(simulator: Simulator, client: openai.OpenAI, kind: str) -> None:
    mine = uploaded(client)
    first = respond(client, mine, kind)
    with pytest.raises(openai.NotFoundError, match="No such File object: file-nope") as caught:
        respond(client, "file-nope", kind)
    assert caught.value.param == "input[0].content[1].file_id"
    with client_of(simulator, key="another") as other, pytest.raises(openai.NotFoundError):
        respond(other, mine, kind)
    client.files.delete(mine)
    with pytest.raises(openai.NotFoundError):
        respond(client, mine, kind)
    client.responses.create(model=MODEL, input="And now?", previous_response_id=first.id)


@pytest.mark.parametrize("kind", ["document", "image"])
def test_a_message(simulator: Simulator, kind: str) -> None:
    block: Any = {"type": kind, "source": {"type": "file", "file_id": "file_nope"}}
    with anthropic_sdk.client_of(simulator) as client:
        asked = anthropic_sdk.asks() | {"messages": [{"role": "user", "content": [block]}]}
        with pytest.raises(anthropic.NotFoundError) as caught:
            client.messages.create(**asked)
    error: Any = caught.value.body
    assert error["error"] == {"type": "not_found_error", "message": "File not found: file_nope"}
