"""A program that keeps results in a ledger until it is killed, and says which are durable.

    python ledger_keeper.py PATH FIRST [BYTES]

Items FIRST, FIRST + 1, … are kept by 20 tasks; the number of each is printed once `keep` has ended.
BYTES limits the size of files, as a full disk does: then it prints the error and ends.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import signal
import sys

from batch_llm import LedgerConfig, LedgerError
from batch_llm.ledger import (
    KeptOutput,
    Ledger,
    ResultRecord,
    Settlement,
    identify,
    open_ledger,
    request_digest,
)


def record(number: int, settlements: list[Settlement] | None = None) -> ResultRecord:
    """Return the end of an item, which costs a thousandth of a USD."""
    item = identify(f"item-{number}", request_digest("model", f"prompt {number}"))
    content = f'"output {number}"'.encode()
    return ResultRecord(
        item=item, output=KeptOutput(content), cost_usd=0.001, settlements=settlements
    )


async def _keep(ledger: Ledger, numbers: itertools.count[int]) -> None:
    for number in numbers:
        call_number = await ledger.reserve(0.01)
        await ledger.keep(record(number, [Settlement(call_number, 0.001)]))
        os.write(1, b"%d\n" % number)


async def _main() -> None:
    ledger = open_ledger(LedgerConfig(sys.argv[1]))
    await ledger.begin_run("test")
    if len(sys.argv) > 3:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), int(sys.argv[3])))
    numbers = itertools.count(int(sys.argv[2]))
    ends = await asyncio.gather(
        *(_keep(ledger, numbers) for _ in range(20)), return_exceptions=True
    )
    assert {type(end) for end in ends} == {LedgerError}, ends
    os.write(1, f"{ends[0]}\n".encode())
    await ledger.aclose()


if __name__ == "__main__":
    asyncio.run(_main())
