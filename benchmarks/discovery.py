"""What a client finds of a server it knows nothing about, by the simulator's books.

Real time: two and a half minutes for each of three servers, all clients at the same time. Ours are
once not told what replies tell of limits, so that refusals and latencies alone can lead; the others
do not read it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from batch_llm.testing.simulator import Capacity, Latency, Limit, Simulator

from .measure import table
from .senders import async_batch_llm, flexllm, ours, sending

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .senders import Sender

RPM: Final = 3_000
SLOTS: Final = 32
SECONDS: Final = 0.5
LEARN_SECONDS: Final = 60
STEADY_SECONDS: Final = 30
FOLLOW_SECONDS: Final = 30
AFTER_SECONDS: Final = 20
# Each begins a little after the one before, and none ends before the last measurement.
IN_ALL_SECONDS: Final = LEARN_SECONDS + STEADY_SECONDS + FOLLOW_SECONDS + AFTER_SECONDS + 10
FIXED: Final = (5, 20, 32, 200)


class Part(NamedTuple):
    """What one sender got in a part of the time.

    Attributes:
        rate: answers a second.
        refused: the share of its calls that a limit refused.
    """

    rate: float
    refused: float


def discovery() -> None:
    """Three servers, one after the other."""
    full = Limit(requests_per_minute=RPM, burst_seconds=1.0)
    half = Limit(requests_per_minute=RPM / 2, burst_seconds=1.0)
    _show(f"unknown limit of {RPM:,} a minute, told by 429s alone", full, half, hides_headers=True)
    slots, fewer = Capacity(slots=SLOTS), Capacity(slots=SLOTS // 2)
    title = f"unknown capacity of {SLOTS} slots, no 429s"
    _show(title, Limit(capacity=slots), Limit(capacity=fewer), hides_headers=True)
    _show(f"limit of {RPM:,} a minute, told in headers", full, half, hides_headers=False)


def _senders(*, hides_headers: bool) -> Iterator[Sender]:
    yield ours('max_workers="auto"', max_workers="auto", hides_headers=hides_headers)
    for workers in FIXED:
        yield ours(f"{workers} workers", max_workers=workers, hides_headers=hides_headers)
    yield async_batch_llm("as it comes")
    cooldown = {"cooldown_seconds": 1.0, "slow_start_items": 0, "backoff_multiplier": 1.0}
    yield async_batch_llm("32 workers, cooldown_seconds=1", concurrency=32, rate_limit=cooldown)
    yield flexllm("as it comes")
    yield flexllm("32 at once, retry_times=10", concurrency_limit=32, retry_times=10)


def _show(title: str, before: Limit, after: Limit, *, hides_headers: bool) -> None:
    senders = list(_senders(hides_headers=hides_headers))
    steady, followed = _measured(senders, before, after)
    # Of whatever package: all but the first have a fixed number of calls in flight.
    fixed = [sender.name for sender in senders[1:]]
    rows = []
    for sender in senders:
        cells = [sender.name]
        for parts in (steady, followed):
            best, part = max(parts[name].rate for name in fixed), parts[sender.name]
            cells += [f"{part.rate:.1f}", f"{part.rate / best:.0%}", f"{part.refused:.1%}"]
        cells.append(f"{sender.figures['failed']:.0f}" if "failed" in sender.figures else "")
        rows.append(cells)
    head = ["", f"answers/s after {LEARN_SECONDS} s", "of the best fixed pool", "refused"]
    head += [f"halved, after {FOLLOW_SECONDS} s", "of the best fixed pool", "refused", "failed"]
    table(f"{title}; all clients at the same time", head, rows)


def _measured(
    senders: list[Sender], before: Limit, after: Limit
) -> tuple[dict[str, Part], dict[str, Part]]:
    """Return what each got in the steady time, and some time after the limit was halved."""
    latency = Latency(kind="lognormal", seconds=SECONDS * 0.92, sigma=0.4)
    with Simulator(latency=latency, limits=[before], books="sums") as simulator:
        with sending(senders, simulator, IN_ALL_SECONDS):
            time.sleep(LEARN_SECONDS)
            steady = _measure(senders, simulator, STEADY_SECONDS)
            simulator.set_limits([after])
            time.sleep(FOLLOW_SECONDS)
            followed = _measure(senders, simulator, AFTER_SECONDS)
        return steady, followed


def _measure(senders: list[Sender], simulator: Simulator, seconds: float) -> dict[str, Part]:
    began = {sender.name: simulator.books.totals(key=sender.name) for sender in senders}
    time.sleep(seconds)
    parts = {}
    for sender in senders:
        ended = simulator.books.totals(key=sender.name)
        answered = ended.answered - began[sender.name].answered
        refused = ended.limited - began[sender.name].limited
        parts[sender.name] = Part(answered / seconds, refused / max(1, answered + refused))
    return parts
