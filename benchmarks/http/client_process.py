"""One client in a process of its own: `CLIENT BASE_URL REQUESTS CONCURRENCY`, prints a JSON."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from .clients import CLIENTS

PROMPT = "Say in one sentence what a benchmark is for."


async def measure(name: str, base_url: str, requests: int, concurrency: int) -> dict[str, float]:
    """Return the CPU and wall microseconds a request, after one warm-up a connection."""
    async with CLIENTS[name](base_url) as send:
        left = 0

        async def work() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await send(PROMPT)

        async def run(total: int) -> None:
            nonlocal left
            left = total
            await asyncio.gather(*(work() for _ in range(concurrency)))

        await run(2 * concurrency)
        cpu, wall = time.process_time(), time.perf_counter()
        await run(requests)
        return {
            "cpu_microseconds": (time.process_time() - cpu) / requests * 1e6,
            "wall_microseconds": (time.perf_counter() - wall) / requests * 1e6,
        }


if __name__ == "__main__":
    _, client, address, total_requests, workers = sys.argv
    print(json.dumps(asyncio.run(measure(client, address, int(total_requests), int(workers)))))
