"""How long a short Retry-After makes a client wait, by the simulator's books, in real time."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from batch_llm.testing.simulator import Limit, Simulator, Slope

from .measure import table
from .senders import async_batch_llm, flexllm, ours, sending

if TYPE_CHECKING:
    from batch_llm.testing.simulator import CallRecord

    from .senders import Sender

BURST: Final = 20
BURSTS: Final = 20
LONGEST_SECONDS: Final = 60


def retrying() -> None:
    """A provider that takes 20 calls in each second, and refuses those beyond until the next."""
    items = BURST * BURSTS
    cooldown = {"cooldown_seconds": 1.0, "slow_start_items": 0, "backoff_multiplier": 1.0}
    senders = [
        ours("as it comes", max_workers=BURST, items=items),
        async_batch_llm("as it comes", max_workers=BURST, items=items),
        async_batch_llm("cooldown_seconds=1", max_workers=BURST, items=items, rate_limit=cooldown),
        flexllm("as it comes", concurrency_limit=BURST, items=items),
    ]
    burst = Slope(factor=1e-9, window_seconds=1.0, floor=BURST)
    with Simulator(limits=[Limit(slope=burst)]) as simulator:
        with sending(senders, simulator, LONGEST_SECONDS):
            _wait_for(senders, simulator, items)
        rows = [_row(sender, simulator.books.select(key=sender.name), items) for sender in senders]
    head = ["", "answered", "failed", "seconds", "ideal", "of the ideal", "refused"]
    title = f"{items} calls in bursts of {BURST}, a Retry-After of 1 s after each"
    table(f"{title}, all packages at the same time", head, rows)


def _wait_for(senders: list[Sender], simulator: Simulator, items: int) -> None:
    until = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < until:
        answered = [simulator.books.totals(key=sender.name).answered for sender in senders]
        if min(answered) >= items:
            return
        time.sleep(0.2)


def _row(sender: Sender, records: list[CallRecord], items: int) -> list[str]:
    first = records[0].started_at
    answered = [record.started_at for record in records if record.fate == "answered"]
    failed = round(sender.figures.get("failed", 0))
    refused = sum(record.fate == "limited" for record in records)
    # The provider's seconds follow one another: the last burst starts with the last of them.
    ideal = math.floor(first) + BURSTS - 1 - first
    if len(answered) + failed < items:
        taken, share = f"> {LONGEST_SECONDS}", f"> {LONGEST_SECONDS / ideal:.1f}"
    else:
        seconds = max(answered) - first
        taken, share = f"{seconds:.1f}", f"{seconds / ideal:.2f}"
    return [
        sender.name,
        f"{len(answered)}",
        f"{failed}",
        taken,
        f"{ideal:.1f}",
        share,
        f"{refused}",
    ]
