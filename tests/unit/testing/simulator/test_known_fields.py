"""Every field that the SDKs' types know is taken."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_args

import pytest
from anthropic import types as anthropic_types
from anthropic.types import beta as anthropic_beta
from openai.types import batch_create_params, embedding_create_params
from openai.types.chat import completion_create_params
from openai.types.responses import response_create_params
from typing_extensions import is_typeddict

from batch_llm.testing.simulator.anthropic.batch_input import read_lines
from batch_llm.testing.simulator.anthropic.body import read_body
from batch_llm.testing.simulator.openai.batch_order import read_order
from batch_llm.testing.simulator.openai.chat_body import CHAT_BODIES
from batch_llm.testing.simulator.openai.embeddings import EMBEDDING_BODIES
from batch_llm.testing.simulator.openai.response_body import RESPONSE_BODIES

CHAT: Mapping[str, Any] = {"model": "gpt-4.1", "messages": []}
RESPONSE: Mapping[str, Any] = {"model": "gpt-4.1", "input": "hi"}
EMBEDDING: Mapping[str, Any] = {"model": "text-embedding-3-small", "input": "hi"}
ORDER: Mapping[str, Any] = {
    "input_file_id": "file-1",
    "endpoint": "/v1/responses",
    "completion_window": "24h",
}
MESSAGE: Mapping[str, Any] = {"model": "claude-haiku-4-5", "max_tokens": 1, "messages": []}
TURN: Mapping[str, Any] = {"role": "user", "content": "hi"}
# The SDK sends these as headers.
OF_HEADERS = {"betas", "user_profile_id", "workspace_id"}
# Documented, but no longer in all types of the SDKs, or never.
OF_CHAT = {"functions", "function_call", "max_tokens", "user", "seed", "web_search_options"}
OF_RESPONSES = {"user", "presence_penalty", "frequency_penalty"}
OF_MESSAGES = {"temperature", "top_p", "top_k", "output_format"}


def names_of(kind: Any) -> set[str]:
    """Return the names of all fields of a type, or of the types that it stands for."""
    if is_typeddict(kind):
        return set(kind.__required_keys__ | kind.__optional_keys__)
    return set().union(*map(names_of, get_args(kind)))


def encoded(body: Mapping[str, Any], name: str) -> bytes:
    return json.dumps({**body, name: body.get(name)}).encode()


@pytest.mark.parametrize(
    "name", sorted(names_of(completion_create_params.CompletionCreateParams) | OF_CHAT)
)
def test_chat_completions(name: str) -> None:
    CHAT_BODIES.read(encoded(CHAT, name), ())


@pytest.mark.parametrize(
    "name", sorted(names_of(response_create_params.ResponseCreateParams) | OF_RESPONSES)
)
def test_responses(name: str) -> None:
    RESPONSE_BODIES.read(encoded(RESPONSE, name), ())


@pytest.mark.parametrize("name", sorted(names_of(embedding_create_params.EmbeddingCreateParams)))
def test_embeddings(name: str) -> None:
    EMBEDDING_BODIES.read(encoded(EMBEDDING, name), ())


@pytest.mark.parametrize("name", sorted(names_of(batch_create_params.BatchCreateParams)))
def test_batches(name: str) -> None:
    read_order(encoded(ORDER, name))


OF_ALL_MESSAGES = (
    names_of(anthropic_types.MessageCreateParams)
    | names_of(anthropic_types.MessageCountTokensParams)
    | names_of(anthropic_beta.message_create_params.MessageCreateParams)
    | names_of(anthropic_beta.MessageCountTokensParams)
    | OF_MESSAGES
) - OF_HEADERS


@pytest.mark.parametrize("name", sorted(OF_ALL_MESSAGES))
def test_messages(name: str) -> None:
    read_body(encoded(MESSAGE, name), ())


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("metadata", anthropic_beta.BetaMetadataParam),
        ("output_config", anthropic_beta.BetaOutputConfigParam),
    ],
)
def test_what_is_in_a_message(place: str, kind: Any) -> None:
    for name in names_of(kind):
        read_body(encoded({**MESSAGE, place: {name: None}}, place), ())


@pytest.mark.parametrize("name", sorted(names_of(anthropic_beta.BetaMessageParam)))
def test_a_turn(name: str) -> None:
    turn = {**TURN, name: TURN.get(name)}
    read_body(encoded({**MESSAGE, "messages": [turn]}, "messages"), ())


def test_batches_of_messages() -> None:
    kind = anthropic_types.messages.batch_create_params
    assert names_of(kind.BatchCreateParams) - OF_HEADERS == {"requests"}
    line: dict[str, Any] = {**dict.fromkeys(names_of(kind.Request), "a"), "params": {}}
    assert len(read_lines(json.dumps({"requests": [line]}).encode())) == 1
