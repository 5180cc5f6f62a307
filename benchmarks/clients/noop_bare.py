"""No-op calls through a bare pool of 50 tasks on a queue: the floor, with nothing kept in order."""

import asyncio
import sys

from self_measure import Meter


async def no_op(prompt: str) -> tuple[str, dict[str, int]]:
    """Return a constant."""
    if SUSPEND:
        await asyncio.sleep(0)
    return "ok", {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}


async def main() -> None:
    """Measure one run."""
    meter = Meter()
    queue: asyncio.Queue[str] = asyncio.Queue()
    for _ in range(ITEMS):
        queue.put_nowait("prompt")
    results: list[object] = []

    async def worker() -> None:
        while not queue.empty():
            results.append(await no_op(queue.get_nowait()))

    await asyncio.gather(*(worker() for _ in range(50)))
    meter.report(ITEMS)
    assert len(results) == ITEMS


ITEMS = int(sys.argv[1])
SUSPEND = "suspend" in sys.argv
asyncio.run(main())
