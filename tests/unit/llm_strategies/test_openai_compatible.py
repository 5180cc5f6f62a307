"""What is OpenAI's own; the rest stands in the contract of strategies that post a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel
from tests.fake_transport import FakeTransport

from batch_llm.base.request import LLMRequest
from batch_llm.exceptions import (
    MalformedAnswerError,
    OutputTruncatedError,
    OutputValidationError,
    ProviderError,
    RefusalError,
)
from batch_llm.llm_strategies.http import Reply
from batch_llm.llm_strategies.openai_compatible import OpenAICompatibleStrategy

if TYPE_CHECKING:
    from batch_llm.llm_strategies.http import HTTPTransport

KEY = "sk-test-0123456789abcdef"
PROMPT = "What colour has the sky on the day of the test?"
USAGE = {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14, "cached_input_tokens": 8}


class Colour(BaseModel):
    name: str
    red: int


def completion(content: str | None = "blue", finish_reason: str = "stop", **fields: Any) -> bytes:
    message = {"role": "assistant", "content": content}
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "total_tokens": 14,
        "prompt_tokens_details": {"cached_tokens": 8},
    }
    choices = [{"index": 0, "message": message, "finish_reason": finish_reason}]
    return json.dumps({"id": "c1", "choices": choices, "usage": usage, **fields}).encode()


def answering(body: bytes | None = None) -> FakeTransport:
    return FakeTransport(Reply(200, {}, body or completion()))


def local(transport: HTTPTransport, **options: Any) -> OpenAICompatibleStrategy[Any]:
    return OpenAICompatibleStrategy(
        "m", base_url="http://models.example:8000/v1", transport=transport, **options
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
        extra_body={"reasoning_effort": "low"},
        headers={"X-Team": "maps"},
    )
    output, usage = await strategy.execute(PROMPT, 1, 12.5)
    assert (output, usage) == ("blue", USAGE)
    ((url, headers, body, timeout),) = transport.sent
    assert url == "http://models.example:8000/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert (headers["X-Team"], headers["Content-Type"]) == ("maps", "application/json")
    assert timeout == 13.5
    assert body == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": PROMPT},
        ],
        "temperature": 0.5,
        "top_p": 0.9,
        "max_tokens": 20,
        "stop": ["END"],
        "seed": 7,
        "reasoning_effort": "low",
    }


async def test_a_request_of_its_own_goes_before_the_defaults() -> None:
    transport = FakeTransport(Reply(200, {}, completion('{"name": "blue", "red": 0}')))
    strategy = local(transport, system="Be brief.", temperature=0.5)
    request = LLMRequest(PROMPT, temperature=0.0, output_schema=Colour)
    output, _ = await strategy.execute(request, 1, 5)
    assert output == Colour(name="blue", red=0)
    body = transport.sent[0][2]
    assert body["temperature"] == 0.0
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["response_format"]["json_schema"]["strict"] is True


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://h/v1", "http://h/v1/chat/completions"),
        ("http://h/v1/", "http://h/v1/chat/completions"),
        ("http://h:81", "http://h:81/chat/completions"),
        ("https://h/x?api-version=2", "https://h/x/chat/completions?api-version=2"),
    ],
)
async def test_the_address(base_url: str, url: str) -> None:
    transport = answering()
    await OpenAICompatibleStrategy("m", base_url=base_url, transport=transport).execute("x", 1, 5)
    assert transport.sent[0][0] == url


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (completion('{"name": "bl', "length"), OutputTruncatedError),
        (completion('{"name": "blue"}'), OutputValidationError),
        (completion("I think it is blue."), OutputValidationError),
        (completion("", "content_filter"), RefusalError),
        (completion(None, "tool_calls"), MalformedAnswerError),
        (completion(choices=[]), MalformedAnswerError),
        (completion(error={"message": "Upstream failed"}), MalformedAnswerError),
    ],
)
async def test_an_answer_that_cannot_be_used_carries_its_usage(
    body: bytes, kind: type[ProviderError]
) -> None:
    strategy = local(FakeTransport(Reply(200, {}, body)), output_schema=Colour)
    with pytest.raises(ProviderError) as raised:
        await strategy.execute(PROMPT, 1, 5)
    assert type(raised.value) is kind
    assert raised.value.usage == USAGE


@pytest.mark.parametrize(
    ("base_url", "chosen", "expected"),
    [
        ("https://api.openai.com/v1", None, "max_completion_tokens"),
        ("http://h/v1", None, "max_tokens"),
        ("http://h/v1", "max_completion_tokens", "max_completion_tokens"),
        ("https://api.openai.com/v1", "max_tokens", "max_tokens"),
    ],
)
async def test_the_name_of_the_token_limit(base_url: str, chosen: Any, expected: str) -> None:
    fake = answering()
    strategy = OpenAICompatibleStrategy(
        "m",
        base_url=base_url,
        api_key=KEY,
        max_output_tokens=9,
        token_limit_field=chosen,
        transport=fake,
    )
    await strategy.execute("x", 1, 5)
    assert fake.sent[0][2][expected] == 9
