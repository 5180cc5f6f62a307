"""What Anthropic refuses, and how its SDK says so."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest
from tests.contract.simulator.anthropic_sdk import MODEL, asks, async_client_of, client_of

from batch_llm.testing.simulator import Limit, Simulator, Slope

VERSION = {"anthropic-version": "2026-10-21"}
TOOL = {"name": "weather", "input_schema": {"type": "object"}}
USER = {"role": "user", "content": "hello"}
CALLS = {
    "role": "assistant",
    "content": [{"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}],
}
TEXT_DOCUMENT = {"type": "text", "media_type": "text/plain", "data": "words"}


def _block(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [fields]}]}


def _marked(count: int, **mark: Any) -> list[dict[str, Any]]:
    control = {"type": "ephemeral", **mark}
    return [{"type": "text", "text": "x", "cache_control": control} for _ in range(count)]


def _tool(**schema: Any) -> dict[str, Any]:
    return {"name": "weather", "input_schema": schema}


def _schema(**fields: Any) -> dict[str, Any]:
    closed = {"type": "object", "additionalProperties": False, "properties": fields}
    return {"output_config": {"format": {"type": "json_schema", "schema": closed}}}


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"max_tokens": "x"}, "max_tokens: Input should be a valid integer"),
    ({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0"),
    ({"max_tokens": 999_999}, "max_tokens: 999999 > 128000"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": "x"}, "messages: Input should be a valid list"),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be 'user'"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content: Input should be a valid"),
    ({"messages": [USER, {"role": "assistant", "content": "x"}]}, "does not support assistant mes"),
    (_block(type="text", text=""), "text content blocks must be non-empty"),
    (_block(type="text"), "messages.0.content.0.text.text: Field required"),
    (_block(text="x"), "messages.0.content.0.type: Field required"),
    (_block(type="video"), "messages.0.content.0: Input tag 'video' found"),
    (_block(type="image"), "messages.0.content.0.image.source: Field required"),
    (
        _block(type="image", source={"type": "base64", "media_type": "image/bmp", "data": "Q"}),
        "image.source.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or",
    ),
    (_block(type="image", source={"type": "url"}), "image.source.url.url: Field required"),
    (_block(type="document", source={"type": "text"}), "document.source.text.media_type"),
    (_block(type="document", source={"type": "tape"}), "document.source.type: Input should be"),
    (_block(type="tool_result", tool_use_id="t1"), "unexpected `tool_use_id` found in `tool_res"),
    (_block(type="tool_result"), "messages.0.content.0.tool_result.tool_use_id: Field required"),
    ({"messages": [USER, CALLS, USER], "tools": [TOOL]}, "were found without `tool_result` blocks"),
    ({"system": 5}, "system: Input should be a valid string or list"),
    ({"system": [{"type": "image"}]}, "system.0.type: Input should be 'text'"),
    ({"system": _marked(5)}, "A maximum of 4 blocks with cache_control may be provided. Found 5."),
    (
        {"system": _marked(1, ttl="1d")},
        "system.0.cache_control.ephemeral.ttl: Input should be '5m'",
    ),
    ({"system": _marked(1) + _marked(1, ttl="1h")}, "ttl='1h' cache_control block must not come"),
    ({"temperature": 2}, "temperature: range: 0..1"),
    ({"temperature": 0.5}, "`temperature` is deprecated for this model."),
    ({"top_k": 5}, "`top_k` is deprecated for this model."),
    (
        {"temperature": 0.5, "top_p": 0.5, "model": "claude-haiku-4-5"},
        "cannot both be specified for this model",
    ),
    ({"stop_sequences": [" "]}, "each stop sequence must contain non-whitespace"),
    ({"metadata": {"user_id": "x" * 257}}, "metadata.user_id: String should have at most 256"),
    ({"service_tier": "gold"}, "service_tier: Input should be 'auto' or 'standard_only'"),
    ({"thinking": {"type": "enabled", "budget_tokens": 2_000}}, 'Use "thinking.type.adaptive"'),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 5}, "model": "claude-haiku-4-5"},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
    ),
    (
        {"thinking": {"type": "enabled", "budget_tokens": 2_000}, "model": "claude-haiku-4-5"},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
    ),
    ({"tools": [{"name": "a b", "input_schema": {}}]}, "tools.0.custom.name: String should match"),
    ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
    ({"tools": [{"name": "a", "input_schema": {}}]}, "tools.0.custom.input_schema.type: Field req"),
    ({"tools": [_tool(type="object", required=5)]}, "input_schema: JSON schema is invalid."),
    (_schema(inner={"$ref": "#/$defs/none"}), "format.schema: JSON schema is invalid."),
    (_schema(inner={"$ref": "http://127.0.0.1:9/s"}), "a schema may not refer to http://127.0.0."),
    ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    ({"tool_choice": {"type": "any"}}, "may only be specified while providing tools"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "tool", "name": "rain"}},
        "Tool 'rain' not found in provided tools",
    ),
    (
        {
            "tools": [TOOL],
            "tool_choice": {"type": "any"},
            "thinking": {"type": "adaptive"},
        },
        "Thinking may not be enabled when tool_choice forces tool use.",
    ),
    ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type: Input should be"),
    (_schema(inner={"type": "object"}), "'additionalProperties' must be explicitly set to false"),
    (
        _schema(age={"type": "integer", "minimum": 0, "maximum": 9}),
        "For 'integer' type, properties 'maximum', 'minimum' are not supported",
    ),
    (
        {
            **_schema(),
            **_block(type="document", source=TEXT_DOCUMENT, citations={"enabled": True}),
        },
        "citations cannot be used together with an output format",
    ),
    ({"messages": [{"role": "user", "content": "x" * 4_000_100}]}, "tokens > 1000000 maximum"),
]


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=[words for _, words in REFUSED])
def test_a_request_that_is_not_in_order(
    simulator: Simulator, fields: dict[str, Any], message: str
) -> None:
    body = {name: value for name, value in {**asks(), **fields}.items() if value is not None}
    with client_of(simulator) as client, pytest.raises(anthropic.BadRequestError) as caught:
        client.post("/v1/messages", body=body, cast_to=object)
    assert message in (caught.value.api_message or "")
    assert caught.value.type == "invalid_request_error"
    assert not simulator.books.records


def test_the_form_of_an_error(simulator: Simulator) -> None:
    with client_of(simulator) as client, pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(**asks(model="gpt-5"))
    error = caught.value
    assert error.request_id is not None
    assert error.request_id.startswith("req_")
    assert error.body == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "model: gpt-5"},
        "request_id": error.request_id,
    }


def test_a_retired_model_is_gone(simulator: Simulator) -> None:
    with (
        client_of(simulator) as client,
        pytest.warns(DeprecationWarning, match="deprecated"),
        pytest.raises(anthropic.NotFoundError),
    ):
        client.messages.create(**asks(model="claude-mythos-preview"))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b'{"model": "\\ud800"}'])
def test_a_body_that_is_no_request(simulator: Simulator, body: bytes) -> None:
    for path in ("/v1/messages", "/v1/messages/count_tokens", "/v1/messages/batches"):
        answer = _post(simulator, path, body, {"x-api-key": "any", **VERSION})
        assert answer.status_code == 400
        assert answer.json()["error"]["type"] == "invalid_request_error"


def test_half_a_surrogate_pair_is_no_text(simulator: Simulator) -> None:
    body = json.dumps(asks("half")).replace("half", "\\udc00").encode()
    answer = _post(simulator, "/v1/messages", body, {"x-api-key": "any", **VERSION})
    assert answer.status_code == 400
    assert "not valid JSON" in answer.json()["error"]["message"]


def test_a_body_that_is_too_large(simulator: Simulator) -> None:
    body = b'{"x":"' + b"x" * (32 * 1024 * 1024) + b'"}'
    answer = _post(simulator, "/v1/messages", body, {"x-api-key": "any", **VERSION})
    assert answer.status_code == 413
    assert answer.json()["error"] == {
        "type": "request_too_large",
        "message": "Request exceeds the maximum size",
    }


@pytest.mark.parametrize(
    ("headers", "status", "error_type", "message"),
    [
        (VERSION, 401, "authentication_error", "x-api-key header is required"),
        ({"x-api-key": "wrong", **VERSION}, 401, "authentication_error", "invalid x-api-key"),
        ({"x-api-key": "any"}, 400, "invalid_request_error", "anthropic-version: header is requir"),
        (
            {"x-api-key": "any", "anthropic-version": "new"},
            400,
            "invalid_request_error",
            'anthropic-version: "new" is not a valid version',
        ),
    ],
)
def test_headers_that_are_missing_or_wrong(
    simulator: Simulator, headers: dict[str, str], status: int, error_type: str, message: str
) -> None:
    answer = httpx2.post(
        f"{simulator.anthropic_base_url}/v1/messages", json=asks(), headers=headers
    )
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (status, error_type)
    assert message in error["message"]


def test_addresses_and_methods_that_are_none(simulator: Simulator) -> None:
    headers = {"x-api-key": "any", **VERSION}
    nowhere = _post(simulator, "/v1/nowhere", b"{}", headers)
    assert (nowhere.status_code, nowhere.json()["error"]["type"]) == (404, "not_found_error")
    put = httpx2.put(f"{simulator.anthropic_base_url}/v1/messages", headers=headers)
    assert (put.status_code, put.json()["error"]["message"]) == (405, "Method Not Allowed")


STATUSES = {
    400: (anthropic.BadRequestError, "invalid_request_error"),
    401: (anthropic.AuthenticationError, "authentication_error"),
    402: (anthropic.APIStatusError, "billing_error"),
    403: (anthropic.PermissionDeniedError, "permission_error"),
    404: (anthropic.NotFoundError, "not_found_error"),
    413: (anthropic.APIStatusError, "request_too_large"),
    429: (anthropic.RateLimitError, "rate_limit_error"),
    500: (anthropic.InternalServerError, "api_error"),
    502: (anthropic.InternalServerError, "api_error"),
    503: (anthropic.InternalServerError, "api_error"),
    504: (anthropic.InternalServerError, "timeout_error"),
    529: (anthropic.InternalServerError, "overloaded_error"),
}


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_has_its_error(simulator: Simulator, status: int) -> None:
    expected, error_type = STATUSES[status]
    headers = {"x-sim-fault": str(status)}
    with client_of(simulator) as client, pytest.raises(expected) as caught:
        client.messages.create(**asks(), extra_headers=headers)
    assert (caught.value.status_code, caught.value.type) == (status, error_type)
    async with async_client_of(simulator) as client:
        with pytest.raises(expected) as caught:
            await client.messages.create(**asks(), extra_headers=headers)
    assert (caught.value.status_code, caught.value.type) == (status, error_type)


# --- limits --------------------------------------------------------------------------------


def test_a_limit_says_which_and_when(simulator: Simulator) -> None:
    simulator.set_speed(1)
    simulator.set_limits([Limit(requests_per_minute=1)])
    with client_of(simulator) as client:
        first = client.messages.with_raw_response.create(**asks())
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**asks())
    assert first.headers["anthropic-ratelimit-requests-limit"] == "1"
    assert first.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert first.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
    error = caught.value
    assert error.type == "rate_limit_error"
    assert "rate limit of 1 requests per minute" in (error.api_message or "")
    assert f"model: {MODEL}" in (error.api_message or "")
    assert 1 <= int(error.response.headers["retry-after"]) <= 60
    assert [record.fate for record in simulator.books.records] == ["answered", "limited"]


def test_input_and_output_tokens_have_limits_of_their_own(simulator: Simulator) -> None:
    simulator.set_speed(1)
    simulator.set_limits([Limit(input_tokens_per_minute=100, output_tokens_per_minute=1_000)])
    with client_of(simulator) as client:
        first = client.messages.with_raw_response.create(**asks("x" * 360))
        with pytest.raises(anthropic.RateLimitError, match="100 input tokens per minute"):
            client.messages.create(**asks("x" * 360))
    assert first.headers["anthropic-ratelimit-input-tokens-limit"] == "100"
    assert first.headers["anthropic-ratelimit-output-tokens-limit"] == "1000"


def test_growing_too_fast_is_an_error_of_its_own(simulator: Simulator) -> None:
    simulator.set_speed(1)
    simulator.set_limits([Limit(slope=Slope(floor=1, factor=1))])
    with client_of(simulator) as client:
        client.messages.create(**asks())
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.messages.create(**asks())
    assert caught.value.error_code == "ramp_limit_exceeded"


def _post(simulator: Simulator, path: str, body: bytes, headers: dict[str, str]) -> httpx2.Response:
    return httpx2.post(simulator.anthropic_base_url + path, content=body, headers=headers)
