"""Fields that a provider does not know, as its SDK sees them refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest
from tests.contract.simulator import anthropic_sdk, openai_batches, openai_sdk
from tests.contract.simulator.openai_sdk import MODEL, THINKER, user

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

MOVED = (
    "Unsupported parameter: '{}'. In the Responses API, this parameter has moved to '{}'. Try "
    "again with the new parameter. See the API documentation for more information: "
    "https://platform.openai.com/docs/api-reference/responses/create."
)
LLAMA = "llama"


@pytest.fixture
def client(simulator: Simulator) -> Iterator[openai.OpenAI]:
    with openai_sdk.client_of(simulator) as client:
        yield client


@pytest.fixture
def claude(simulator: Simulator) -> Iterator[anthropic.Anthropic]:
    with anthropic_sdk.client_of(simulator) as client:
        yield client


def error_of(caught: pytest.ExceptionInfo[openai.APIStatusError]) -> Any:
    return caught.value.body


# --- OpenAI ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"top_k": 3}, "Unrecognized request argument supplied: top_k"),
        (
            {"top_k": None, "stream": False, "min_p": {}},
            "Unrecognized request arguments supplied: top_k, min_p",
        ),
    ],
)
def test_a_chat_completion(client: openai.OpenAI, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=user("hi"), extra_body=fields)
    kind = "invalid_request_error"
    assert error_of(caught) == {"message": message, "type": kind, "param": None, "code": None}


def test_a_chat_completion_of_a_model_that_reasons(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=THINKER, messages=user("hi"), extra_body={"top_k": 3})
    assert error_of(caught) == {
        "message": "Unknown parameter: 'top_k'.",
        "type": "invalid_request_error",
        "param": "top_k",
        "code": "unknown_parameter",
    }


def test_a_wrong_value_beside_an_unknown_field(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="Invalid type for 'seed'"):
        client.chat.completions.create(
            model=MODEL, messages=user("hi"), extra_body={"top_k": 3, "seed": "x"}
        )


@pytest.mark.parametrize(
    ("name", "message", "param", "code"),
    [
        ("foo", "Unknown parameter: 'foo'.", "foo", "unknown_parameter"),
        ("stop", "Unknown parameter: 'stop'.", "stop", "unknown_parameter"),
        *[
            (old, MOVED.format(old, new), None, "unsupported_parameter")
            for old, new in [
                ("response_format", "text.format"),
                ("max_tokens", "max_output_tokens"),
                ("max_completion_tokens", "max_output_tokens"),
                ("messages", "input"),
                ("reasoning_effort", "reasoning.effort"),
                ("verbosity", "text.verbosity"),
            ]
        ],
    ],
)
def test_a_response(
    client: openai.OpenAI, name: str, message: str, param: str | None, code: str
) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=MODEL, input="hi", extra_body={name: 1})
    kind = "invalid_request_error"
    assert error_of(caught) == {"message": message, "type": kind, "param": param, "code": code}


def test_an_embedding(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="argument supplied: input_type"):
        client.embeddings.create(
            model="text-embedding-3-small", input="hi", extra_body={"input_type": "query"}
        )


def test_a_batch(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.batches.create(
            input_file_id="file-1",
            endpoint="/v1/chat/completions",
            completion_window="24h",
            extra_body={"model": MODEL},
        )
    assert (caught.value.param, caught.value.code) == ("model", "unknown_parameter")


def test_a_line_of_a_batch(client: openai.OpenAI) -> None:
    lines = openai_batches.jsonl([openai_batches.line(1, top_k=3)])
    batch = openai_batches.ended(client, openai_batches.submit(client, lines))
    (failed,) = openai_batches.results(client, batch.error_file_id)
    assert "top_k" in failed["response"]["body"]["error"]["message"]


# --- Anthropic -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"foo": 1}, "foo"),
        ({"sytem": "Be brief."}, "sytem"),
        ({"metadata": {"foo": 1}}, "metadata.foo"),
        ({"output_config": {"foo": 1}}, "output_config.foo"),
        ({"messages": [{"role": "user", "content": "hi", "name": "I"}]}, "messages.0.name"),
    ],
)
def test_a_message(claude: anthropic.Anthropic, fields: dict[str, Any], place: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        claude.messages.create(**anthropic_sdk.asks(), extra_body=fields)
    error: Any = caught.value.body
    assert error["error"] == {
        "type": "invalid_request_error",
        "message": f"{place}: Extra inputs are not permitted",
    }


@pytest.mark.parametrize("name", ["foo", "max_tokens", "temperature", "metadata", "stream"])
def test_a_count_of_tokens(claude: anthropic.Anthropic, name: str) -> None:
    values = {"metadata": {}, "stream": False}
    with pytest.raises(anthropic.BadRequestError, match=f"{name}: Extra inputs are not permitted"):
        claude.messages.count_tokens(
            model=anthropic_sdk.MODEL,
            messages=[{"role": "user", "content": "hi"}],
            extra_body={name: values.get(name, 1)},
        )


def test_a_batch_of_messages(claude: anthropic.Anthropic) -> None:
    line: Any = {"custom_id": "a", "params": anthropic_sdk.asks(), "method": "POST"}
    with pytest.raises(anthropic.BadRequestError, match=r"requests\.0\.method: Extra inputs"):
        claude.messages.batches.create(requests=[line])
    del line["method"]
    with pytest.raises(anthropic.BadRequestError, match="foo: Extra inputs"):
        claude.messages.batches.create(requests=[line], extra_body={"foo": 1})


def test_the_params_of_a_batchs_line(simulator: Simulator, claude: anthropic.Anthropic) -> None:
    params: Any = anthropic_sdk.asks(foo=1)
    batch = claude.messages.batches.create(requests=[{"custom_id": "a", "params": params}])
    simulator.advance(24 * 3_600)
    (line,) = claude.messages.batches.results(batch.id)
    assert line.result.type == "errored"
    assert line.result.error.error.message == "foo: Extra inputs are not permitted"


# --- other servers ---------------------------------------------------------------------------


def test_models_of_other_servers_take_any_field() -> None:
    with (
        Simulator(speed=10_000, models=(LLAMA,)) as simulator,
        openai_sdk.client_of(simulator) as client,
        anthropic_sdk.client_of(simulator) as claude,
    ):
        more = {"top_k": 3}
        client.chat.completions.create(model=LLAMA, messages=user("hi"), extra_body=more)
        client.responses.create(model=LLAMA, input="hi", extra_body=more)
        turn: Any = {"role": "user", "content": "hi", "name": "I"}
        claude.messages.create(model=LLAMA, max_tokens=5, messages=[turn], extra_body={"foo": 1})
        with pytest.raises(openai.BadRequestError, match="top_k"):
            client.chat.completions.create(model=MODEL, messages=user("hi"), extra_body=more)
        with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.name"):
            claude.messages.create(**anthropic_sdk.asks() | {"messages": [turn]})
