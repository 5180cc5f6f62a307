"""Keep N results in a ledger, `sqlite` or `jsonl`, by 50 keepers; `reserve` reserves calls too."""

import asyncio
import sys
import tempfile
from pathlib import Path

from self_measure import Meter

from batch_llm import LedgerConfig
from batch_llm.base import empty_usage
from batch_llm.ledger import (
    KeptOutput,
    Ledger,
    ResultRecord,
    Settlement,
    identify,
    open_ledger,
    request_digest,
)

KEEPERS = 50


async def keep(ledger: Ledger, first: int) -> None:
    """Keep every 50th item."""
    for number in range(first, ITEMS, KEEPERS):
        prompt = f"Is this review positive? {number}"
        item = identify(f"item-{number}", request_digest("model", prompt))
        assert ledger.find(item) is None
        settlements = None
        if RESERVES:
            settlements = [Settlement(await ledger.reserve(0.01), 0.001)]
        await ledger.keep(
            ResultRecord(
                item=item,
                output=KeptOutput(b'"positive"'),
                attempts=1,
                usage=empty_usage(),
                cost_usd=0.001,
                prompt_text=prompt,
                settlements=settlements,
            )
        )


async def main() -> None:
    """Measure one run, identities and codec included, opening and closing too."""
    with tempfile.TemporaryDirectory() as directory:
        meter = Meter()
        ledger = open_ledger(LedgerConfig(Path(directory) / f"run.{FORMAT}"))
        await ledger.begin_run("benchmark")
        await asyncio.gather(*(keep(ledger, first) for first in range(KEEPERS)))
        await ledger.end_run({})
        await ledger.aclose()
        meter.report(ITEMS)


FORMAT = "jsonl" if "jsonl" in sys.argv else "db"
ITEMS = int(sys.argv[1])
RESERVES = "reserve" in sys.argv
asyncio.run(main())
