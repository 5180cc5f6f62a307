"""Whether a limit a minute is kept, and used: by the simulator's books, in real time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from batch_llm.testing.simulator import Latency, Simulator

from .measure import table
from .senders import async_batch_llm, flexllm, ours, sending

if TYPE_CHECKING:
    from .senders import Sender

RPM: Final = 600
TPMS: Final = (60_000, 600_000)
SECONDS: Final = 120
EARLY_SECONDS: Final = 15
BIG_EVERY: Final = 10
WORKERS: Final = 20


def pacing() -> None:
    """Requests a minute, of all packages at the same time; and beside them our tokens a minute."""
    limit = {"max_requests_per_minute": RPM, "max_workers": WORKERS}
    by_requests = [
        ours("max_requests_per_minute", **limit),
        async_batch_llm("max_requests_per_minute", **limit, items=3_000),
        async_batch_llm("and quota_burst_seconds=1", **limit, quota_burst_seconds=1, items=3_000),
        flexllm("max_qps", max_qps=RPM / 60, concurrency_limit=WORKERS),
    ]
    by_tokens = {
        tpm: ours(
            f"max_tokens_per_minute={tpm:_}",
            max_tokens_per_minute=tpm,
            max_workers=WORKERS,
            big_every=BIG_EVERY,
        )
        for tpm in TPMS
    }
    latency = Latency(kind="lognormal", seconds=0.3, sigma=0.4)
    with Simulator(latency=latency) as simulator:
        with sending([*by_requests, *by_tokens.values()], simulator, SECONDS + EARLY_SECONDS):
            time.sleep(SECONDS + EARLY_SECONDS)
        _show_requests(by_requests, simulator)
        _show_tokens(by_tokens, simulator)


def _show_requests(senders: list[Sender], simulator: Simulator) -> None:
    rows = []
    for sender in senders:
        starts = [record.started_at for record in simulator.books.select(key=sender.name)]
        begun = [at - starts[0] for at in starts]
        used = sum(at < SECONDS for at in begun)
        rows.append(
            [
                sender.name,
                f"{simulator.books.largest_starts(60, key=sender.name):,}",
                f"{used / (RPM * SECONDS / 60):.3f}",
                f"{sum(at < EARLY_SECONDS for at in begun):,}",
            ]
        )
    head = ["", "starts in the busiest 60 s", f"of the allowed in {SECONDS} s"]
    head += [f"starts in the first {EARLY_SECONDS} s"]
    table(f"{RPM:,} requests a minute, all packages at the same time", head, rows)


def _show_tokens(senders: dict[int, Sender], simulator: Simulator) -> None:
    rows = []
    for tpm, sender in senders.items():
        records = simulator.books.select(key=sender.name, executed=True)
        first = min(record.started_at for record in records)
        used = sum(
            record.usage.input_tokens + record.usage.output_tokens
            for record in records
            if record.executed_at - first < SECONDS
        )
        rows.append(
            [
                sender.name,
                f"{simulator.books.largest_tokens(60, key=sender.name):,}",
                f"{used / (tpm * SECONDS / 60):.3f}",
                f"{sender.figures['small_wait_seconds']:.1f}",
                f"{sender.figures['big_wait_seconds']:.1f}",
            ]
        )
    head = ["", "tokens billed in the busiest 60 s", f"of the allowed in {SECONDS} s"]
    head += ["longest wait of a small one, s", "of a big one, s"]
    title = f"tokens a minute, of calls with 200 tokens and, one in {BIG_EVERY}, with 4,000"
    table(f"{title}; batch-llm, at the same time", head, rows)
