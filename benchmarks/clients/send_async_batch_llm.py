"""Sends prompts through async-batch-llm: `BASE_URL KEY SECONDS SETTINGS`, the last as JSON.

Settings: fields of its `ProcessorConfig`, those of `rate_limit` in a dictionary; and `items`. It
takes all items before it starts, so they have an end. Its calls are made with aiohttp; a refusal
is raised as the SDKs raise theirs, with the status and the response, so that it sees Retry-After.
"""

import asyncio
import json
import logging
import sys

import aiohttp
from async_batch_llm import (
    LLMCallStrategy,
    LLMWorkItem,
    ParallelBatchProcessor,
    ProcessorConfig,
    RateLimitConfig,
)

ITEMS = 20_000


class RefusedError(Exception):
    """What an SDK would raise for a status of 400 and above."""

    def __init__(self, response):
        super().__init__(f"HTTP {response.status}")
        self.status_code = response.status
        self.response = response


class Chat(LLMCallStrategy):
    """Asks for a chat completion."""

    def __init__(self, session, base_url, key):
        self._session = session
        self._url = f"{base_url}/chat/completions"
        self._headers = {"Authorization": f"Bearer {key}"}

    async def execute(self, prompt, attempt, timeout, state=None):
        """Return the text and the tokens of the answer."""
        body = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": prompt}]}
        async with self._session.post(self._url, json=body, headers=self._headers) as response:
            answer = await response.json()
            if response.status >= 400:
                raise RefusedError(response)
        usage = answer["usage"]
        tokens = {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
            "total_tokens": usage["total_tokens"],
        }
        return answer["choices"][0]["message"]["content"], tokens


async def main(base_url, key, seconds, settings):
    """Send until the time is over; print what the client saw."""
    count = settings.pop("items", ITEMS)
    rate_limit = RateLimitConfig(**settings.pop("rate_limit", {}))
    config = ProcessorConfig(rate_limit=rate_limit, **settings)
    failed = 0
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session:
        strategy = Chat(session, base_url, key)
        try:
            async with asyncio.timeout(seconds):
                async with ParallelBatchProcessor(config=config) as processor:
                    for number in range(count):
                        item = LLMWorkItem(str(number), strategy, f"Question {number}?")
                        await processor.add_work(item)
                    failed = (await processor.process_all()).failed
        except TimeoutError:
            pass
    print(json.dumps({"failed": failed}))


logging.disable(logging.CRITICAL)
asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), json.loads(sys.argv[4])))
