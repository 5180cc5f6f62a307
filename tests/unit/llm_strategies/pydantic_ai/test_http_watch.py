"""The hook that sees the responses of a model's client."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.providers.openai import OpenAIProvider

from batch_llm.llm_strategies.pydantic_ai.http_watch import HTTPWatch

URL = "http://host.test/v1/chat/completions"
BILL = {"input_tokens": 2, "output_tokens": 1, "total_tokens": 3}


def client(**options: Any) -> httpx2.AsyncClient:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json={"usage": {"prompt_tokens": 2, "completion_tokens": 1}})

    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer), **options)


def model_of(http: httpx2.AsyncClient) -> OpenAIChatModel:
    return OpenAIChatModel("m", provider=OpenAIProvider(api_key="k", http_client=http))


async def test_sees_the_responses_within_the_block_alone() -> None:
    http, watch = client(), HTTPWatch()
    with watch.calls(model_of(http)) as first:
        await http.post(URL)
    await http.post(URL)
    with watch.calls(model_of(http)) as second:
        assert second.usage is None
    assert first.usage == BILL


async def test_sees_what_tasks_of_the_block_get() -> None:
    http, watch = client(), HTTPWatch()
    with watch.calls(model_of(http)) as unread:
        await asyncio.gather(http.post(URL), http.post(URL))
    assert unread.usage == {name: 2 * count for name, count in BILL.items()}


async def test_sees_each_response_once_whoever_else_watches() -> None:
    http, watch, other = client(), HTTPWatch(), HTTPWatch()
    with other.calls(model_of(http)) as outer:
        with watch.calls(model_of(http)) as inner:
            await http.post(URL)
        assert (inner.usage, outer.usage) == (BILL, None)
        await http.post(URL)
        assert (inner.usage, outer.usage) == (BILL, BILL)


@pytest.mark.parametrize("wrap", [WrapperModel, lambda model: FallbackModel(TestModel(), model)])
async def test_finds_the_clients_of_models_in_models(wrap: Any) -> None:
    http = client()
    with HTTPWatch().calls(wrap(model_of(http))) as unread:
        await http.post(URL)
    assert unread.usage == BILL


async def test_forgets_what_the_library_has_counted() -> None:
    http, spent = client(), 0
    with HTTPWatch().calls(model_of(http), lambda: spent) as unread:
        await http.post(URL)
        spent = 3
        assert unread.usage is None
        await http.post(URL)
        assert unread.usage == BILL


async def test_leaves_the_clients_own_hooks_as_they_were() -> None:
    seen: list[str] = []

    async def hook(response: httpx2.Response) -> None:
        seen.append(response.request.url.path)

    http, watch = client(event_hooks={"response": [hook], "request": []}), HTTPWatch()
    with watch.calls(model_of(http)), watch.calls(model_of(http)):
        await http.post(URL)
    assert len(http.event_hooks["response"]) == 2
    watch.detach()
    assert http.event_hooks == {"response": [hook], "request": []}
    assert seen == ["/v1/chat/completions"]


async def test_watches_again_after_it_was_taken_off() -> None:
    http, watch = client(), HTTPWatch()
    for _ in range(2):
        with watch.calls(model_of(http)) as unread:
            await http.post(URL)
        assert unread.usage == BILL
        watch.detach()
    assert http.event_hooks["response"] == []


@pytest.mark.parametrize(
    "model", [None, "openai:gpt-5", TestModel(), SimpleNamespace(client=object())]
)
def test_sees_nothing_of_what_is_no_such_model(model: object) -> None:
    with HTTPWatch().calls(model) as unread:
        assert (unread.usage, unread.request_id) == (None, None)
