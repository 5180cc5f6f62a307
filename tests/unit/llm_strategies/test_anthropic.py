"""What is Anthropic's own; the rest stands in the contract of strategies that post a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.fake_transport import FakeTransport
from tests.loopback import Answer, loopback

from batch_llm import AnthropicStrategy, ProcessorConfig, RetryConfig, process_prompts
from batch_llm.base.request import LLMRequest
from batch_llm.exceptions import (
    ConfigurationError,
    OutputTruncatedError,
    OutputValidationError,
    ProviderError,
    RefusalError,
    ServerError,
)
from batch_llm.llm_strategies.http import Reply

if TYPE_CHECKING:
    from batch_llm.llm_strategies.http import HTTPTransport

KEY = "sk-ant-test-0123456789abcdef"
PROMPT = "What colour has the sky on the day of the test?"
NO_WAIT = ProcessorConfig(retry=RetryConfig(initial_wait=0.0))
USAGE = {
    "input_tokens": 60,
    "output_tokens": 4,
    "total_tokens": 64,
    "cached_input_tokens": 30,
    "cache_write_tokens": 20,
}


class Colour(BaseModel):
    name: str
    red: int


class Counted(BaseModel):
    counts: dict[str, int]


def message(text: str = "blue", stop_reason: str = "end_turn", **fields: Any) -> bytes:
    document = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-2026",
        "content": [{"type": "text", "text": text}],
        "stop_reason": stop_reason,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 30,
            "output_tokens": 4,
        },
        **fields,
    }
    return json.dumps(document).encode()


def answering(body: bytes | None = None) -> FakeTransport:
    return FakeTransport(Reply(200, {"request-id": "req_1"}, body or message()))


def local(transport: HTTPTransport, **options: Any) -> AnthropicStrategy[Any]:
    return AnthropicStrategy(
        "m", base_url="http://models.example:8000", transport=transport, **options
    )


async def test_sends_the_prompt_with_the_strategys_defaults() -> None:
    transport = answering()
    strategy = local(
        transport,
        api_key=KEY,
        system="Be brief.",
        temperature=0.5,
        top_p=0.9,
        max_output_tokens=20,
        stop=["END"],
        seed=7,
        system_cache_ttl="1h",
        extra_body={"thinking": {"type": "disabled"}},
        headers={"anthropic-beta": "some-beta-2026-01-01"},
    )
    assert await strategy.execute(PROMPT, 1, 12.5) == ("blue", USAGE)
    ((url, headers, body, timeout),) = transport.sent
    assert url == "http://models.example:8000/v1/messages"
    assert headers == {
        "Content-Type": "application/json",
        "User-Agent": "batch-llm",
        "anthropic-version": "2023-06-01",
        "x-api-key": KEY,
        "anthropic-beta": "some-beta-2026-01-01",
    }
    assert timeout == 13.5
    cached = {"type": "ephemeral", "ttl": "1h"}
    assert body == {
        "model": "m",
        "system": [{"type": "text", "text": "Be brief.", "cache_control": cached}],
        "messages": [{"role": "user", "content": PROMPT}],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 20,
        "stop_sequences": ["END"],
        "thinking": {"type": "disabled"},
    }


@pytest.mark.parametrize(("given", "sent"), [(None, 16_384), (7, 7)])
async def test_there_is_always_a_limit(given: int | None, sent: int) -> None:
    transport = answering()
    await local(transport, max_output_tokens=given).execute(PROMPT, 1, 5)
    assert transport.sent[0][2]["max_tokens"] == sent


async def test_a_truncated_answer_names_the_limit_that_was_sent() -> None:
    strategy = local(answering(message('{"na', "max_tokens")), output_schema=Colour)
    with pytest.raises(OutputTruncatedError, match="now 16384"):
        await strategy.execute(PROMPT, 1, 5)


async def test_another_version_of_the_api_can_be_asked_for() -> None:
    transport = answering()
    strategy = local(transport, headers={"Anthropic-Version": "2026-10-21"})
    await strategy.execute(PROMPT, 1, 5)
    headers = transport.sent[0][1]
    assert headers["Anthropic-Version"] == "2026-10-21"
    assert "anthropic-version" not in headers


async def test_fields_of_the_output_config_stand_beside_the_schemas() -> None:
    transport = answering(message('{"name": "blue", "red": 0}'))
    strategy = local(
        transport, output_schema=Colour, extra_body={"output_config": {"effort": "low"}}
    )
    for _ in range(2):
        assert (await strategy.execute(PROMPT, 1, 5))[0] == Colour(name="blue", red=0)
    await strategy.execute(LLMRequest(PROMPT, output_schema={"type": "object"}), 1, 5)
    configs = [body["output_config"] for _, _, body, _ in transport.sent]
    assert configs[0]["effort"] == "low"
    assert configs[0]["format"]["type"] == "json_schema"
    assert configs == [configs[0], configs[0], {"effort": "low"}]


async def test_an_answer_to_a_schema_in_words_is_checked_like_any_other() -> None:
    texts = ('```json\n{"counts": {"a": 1}}\n```', '{"counts": {"a": "many"}}')
    transport = FakeTransport(*(Reply(200, {}, message(text)) for text in texts))
    strategy = local(transport, output_schema=Counted)
    assert (await strategy.execute(PROMPT, 1, 5))[0] == Counted(counts={"a": 1})
    with pytest.raises(OutputValidationError):
        await strategy.execute(PROMPT, 1, 5)


@pytest.mark.parametrize(
    ("body", "options", "kind"),
    [
        (message("{}"), {"output_schema": Colour}, OutputValidationError),
        (message("I will not.", "refusal"), {}, RefusalError),
        (message(type="error", error={"type": "overloaded_error"}), {}, ServerError),
    ],
)
async def test_an_answer_that_cannot_be_used_names_its_request_and_its_cost(
    body: bytes, options: dict[str, Any], kind: type[ProviderError]
) -> None:
    with pytest.raises(ProviderError) as raised:
        await local(answering(body), **options).execute(PROMPT, 1, 5)
    assert type(raised.value) is kind
    assert (raised.value.request_id, raised.value.usage) == ("req_1", USAGE)


def test_a_cache_is_kept_for_one_of_two_times() -> None:
    with pytest.raises(ConfigurationError, match="system_cache_ttl is '5m', '1h' or None"):
        local(answering(), system_cache_ttl="2h")


async def test_a_busy_server_is_asked_again_and_the_caches_share_is_counted() -> None:
    busy = json.dumps({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}})
    answers = (
        Answer(529, {"retry-after": "0"}, busy.encode()),
        Answer(200, {"request-id": "req_1"}, message()),
    )
    async with loopback(*answers) as server:
        strategy = AnthropicStrategy("m", base_url=server.url, system_cache_ttl="5m")
        batch = await process_prompts([PROMPT], strategy, config=NO_WAIT)
    (result,) = batch
    assert (result.output, result.attempts) == ("blue", 2)
    assert batch.cache_hit_rate() == 50.0
    assert [request.path for request in server.requests] == ["/v1/messages"] * 2
