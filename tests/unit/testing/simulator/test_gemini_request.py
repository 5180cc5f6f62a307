"""The shapes of Gemini's requests: they know every name that Google's SDK can send."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.genai import types

from batch_llm.testing.simulator.gemini import request as shapes
from batch_llm.testing.simulator.gemini.refusal import RefusedError
from batch_llm.testing.simulator.gemini.request import (
    CachedContentRequest,
    EmbedContentRequest,
    GenerateContentRequest,
    decode,
)

# Fields of the SDK's types that its converters ("…_to_mldev") refuse or put elsewhere: of Google
# Cloud, of the SDK alone, or of the request around them.
ELSEWHERE = {
    "GenerationConfig": {
        "audioTimestamp", "enableAffectiveDialog", "modelSelectionConfig",
        "routingConfig", "responseFormat", "translationConfig",
    },
    "Tool": {
        "enterpriseWebSearch", "exaAiSearch", "parallelAiSearch", "retrieval",
    },
}  # fmt: skip
SAME_NAME = [
    "Blob",
    "FileData",
    "FunctionCall",
    "FunctionResponse",
    "Part",
    "Content",
    "FunctionDeclaration",
    "Tool",
    "FunctionCallingConfig",
    "ToolConfig",
    "SafetySetting",
    "ThinkingConfig",
    "GenerationConfig",
]


def known(shape: type) -> set[str]:
    return {field.encode_name for field in msgspec.structs.fields(shape)}


def sent(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


@pytest.mark.parametrize("name", SAME_NAME)
def test_every_field_of_the_sdk_is_known(name: str) -> None:
    unknown = sent(getattr(types, name)) - known(getattr(shapes, name))
    assert unknown == ELSEWHERE.get(name, set())


def test_the_fields_of_a_cache_are_known() -> None:
    assert sent(types.CreateCachedContentConfig) - known(CachedContentRequest) == {
        "httpOptions",
        "kmsKeyName",
    }


def test_both_cases_are_read_at_every_level() -> None:
    camel = decode(
        b'{"contents": [{"parts": [{"inlineData": {"mimeType": "a/b"}}]}],'
        b' "generationConfig": {"thinkingConfig": {"thinkingBudget": 5}}}',
        GenerateContentRequest,
    )
    snake = decode(
        b'{"contents": {"parts": {"inline_data": {"mime_type": "a/b"}}},'
        b' "generation_config": {"thinking_config": {"thinking_budget": "5"}}, "labels": null}',
        GenerateContentRequest,
    )
    assert camel == snake


def test_names_of_the_clients_own_stay_as_they_are() -> None:
    config = {"response_json_schema": {"properties": {"first_name": {"type": "string"}}}}
    request = decode(msgspec.json.encode({"generation_config": config}), GenerateContentRequest)
    assert request.generation_config is not None
    assert request.generation_config.response_json_schema == config["response_json_schema"]


def test_an_empty_body_is_an_empty_request() -> None:
    assert decode(b" ", EmbedContentRequest) == EmbedContentRequest()


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        (b"{", "", "Invalid JSON payload received. "),
        (b'{"a b": 1}', "", 'Invalid JSON payload received. Unknown name "a b": Cannot find'),
        (b'{"contents": 1}', "contents[0]", "Invalid value at 'contents[0]': Expected"),
        (b'{"contents": [{"role": "\xff"}]}', "", "Invalid JSON payload received. "),
        (b"[" * 100_000, "", "Invalid JSON payload received. "),
        (b'{"contents": ' + b'{"parts": ' * 50_000, "", "Invalid JSON payload received. "),
        (b"7", "", "Invalid value at '': Expected `object`, got `int`."),
    ],
)
def test_what_is_no_request_is_refused(body: bytes, field: str, message: str) -> None:
    with pytest.raises(RefusedError) as raised:
        decode(body, GenerateContentRequest)
    assert raised.value.message.startswith(message)
    assert (raised.value.field, raised.value.status) == (field, 400)


def test_what_is_nested_too_deeply_is_refused() -> None:
    deep = b'{"contents":' + b"[" * 600 + b"]" * 600 + b"}"
    with pytest.raises(RefusedError, match="nested too deeply"):
        decode(deep, GenerateContentRequest)
