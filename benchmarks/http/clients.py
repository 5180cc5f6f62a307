"""The clients that are compared: each sends one prompt and reads the answer's text."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

MODEL = "benchmark"
KEY = "sk-benchmark-0000000000000000"
TIMEOUT_SECONDS = 60.0


@asynccontextmanager
async def bare_aiohttp(base_url: str) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Post, read and load with aiohttp, and nothing else."""
    import aiohttp

    url = f"{base_url}/chat/completions"
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:

        async def send(prompt: str) -> str:
            body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
            async with session.post(url, data=json.dumps(body), headers=headers) as response:
                answer = json.loads(await response.read())
            text: str = answer["choices"][0]["message"]["content"]
            return text

        yield send


@asynccontextmanager
async def _strategy(
    base_url: str, transport: Literal["aiohttp", "httpx2"]
) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    from batch_llm.llm_strategies.openai_compatible import OpenAICompatibleStrategy

    strategy = OpenAICompatibleStrategy(MODEL, base_url=base_url, api_key=KEY, transport=transport)
    await strategy.prepare()

    async def send(prompt: str) -> str:
        output, _ = await strategy.execute(prompt, 1, TIMEOUT_SECONDS)
        return output

    try:
        yield send
    finally:
        await strategy.aclose()


@asynccontextmanager
async def openai_sdk(base_url: str) -> AsyncIterator[Callable[[str], Awaitable[str]]]:
    """Ask through the openai SDK as it comes, without its retries."""
    import httpx2
    from openai import AsyncOpenAI

    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=None)
    http = httpx2.AsyncClient(limits=limits)
    async with AsyncOpenAI(
        base_url=base_url, api_key=KEY, max_retries=0, timeout=TIMEOUT_SECONDS, http_client=http
    ) as client:

        async def send(prompt: str) -> str:
            answer = await client.chat.completions.create(
                model=MODEL, messages=[{"role": "user", "content": prompt}]
            )
            return answer.choices[0].message.content or ""

        yield send


CLIENTS: dict[
    str, Callable[[str], AbstractAsyncContextManager[Callable[[str], Awaitable[str]]]]
] = {
    "aiohttp, bare": bare_aiohttp,
    "batch-llm over aiohttp": lambda base_url: _strategy(base_url, "aiohttp"),
    "batch-llm over httpx2": lambda base_url: _strategy(base_url, "httpx2"),
    "openai SDK": openai_sdk,
}
