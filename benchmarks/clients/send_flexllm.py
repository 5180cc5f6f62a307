"""Sends prompts through flexllm: `BASE_URL KEY SECONDS SETTINGS`, the last as JSON.

Settings: those of its `ConcurrentRequester`, where `concurrency_limit` is 10 as in its `LLMClient`
if not told; and `items` (None has no end).
"""

import asyncio
import itertools
import json
import sys

from flexllm.async_api.core import ConcurrentRequester


def requests(key, count):
    """Yield requests as they are asked for."""
    headers = {"Authorization": f"Bearer {key}"}
    for number in itertools.count() if count is None else range(count):
        messages = [{"role": "user", "content": f"Question {number}?"}]
        yield {"json": {"model": "gpt-4.1-mini", "messages": messages}, "headers": headers}


async def main(base_url, key, seconds, settings):
    """Send until the time is over; print what the client saw."""
    count = settings.pop("items", None)
    requester = ConcurrentRequester(**{"concurrency_limit": 10, **settings})
    failed = 0
    try:
        async with asyncio.timeout(seconds):
            stream = requester.aiter_stream_requests(
                requests(key, count),
                f"{base_url}/chat/completions",
                show_progress=False,
                batch_size=1,
            )
            async for part in stream:
                failed += sum(each.status != "success" for each in part.completed_requests)
    except TimeoutError:
        pass
    await requester.aclose()
    print(json.dumps({"failed": failed}))


asyncio.run(main(sys.argv[1], sys.argv[2], float(sys.argv[3]), json.loads(sys.argv[4])))
