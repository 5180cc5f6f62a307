"""No-op calls through flexllm, its HTTP call alone replaced: N items, 50 at once."""

import asyncio
import sys
from types import SimpleNamespace

from flexllm.async_api.core import ConcurrentRequester
from self_measure import Meter

RESPONSE = SimpleNamespace(status=200)


class WithoutHTTP(ConcurrentRequester):
    """Its limits, retries and results, and no request."""

    async def _make_requests(self, *_args: object, **_kwargs: object) -> tuple[object, object]:
        if SUSPEND:
            await asyncio.sleep(0)
        return RESPONSE, "ok"


async def main() -> None:
    """Measure one run, from the first item made to the results in hand."""
    requester = WithoutHTTP(concurrency_limit=50)
    meter = Meter()
    params = [{"json": number} for number in range(ITEMS)]
    results, _ = await requester.process_requests(params, "http://unused", show_progress=False)
    meter.report(ITEMS)
    assert len(results) == ITEMS
    assert all(result.status == "success" for result in results)
    await requester.aclose()


ITEMS = int(sys.argv[1])
SUSPEND = "suspend" in sys.argv
asyncio.run(main())
