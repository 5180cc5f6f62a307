"""The engine's own cost: no-op calls, calls of a fixed latency, and the import."""

from __future__ import annotations

from . import peers
from .measure import Client, interleaved, table

NOOP_ITEMS = 100_000
# One that costs 40 times as much is given fewer items, so that a run takes minutes and not an hour.
SLOW_PEER_ITEMS = 40_000
LATENCY_CASES = ((1_000, 20, 0.05), (10_000, 5, 1.0))


def noop(rounds: int, *, suspend: bool) -> None:
    """CPU and memory an item, for calls that do nothing."""
    extra = ("suspend",) if suspend else ()
    ours = Client("batch-llm, metrics on", "noop_batch_llm.py", (str(NOOP_ITEMS), *extra))
    python = peers.python()
    clients = [
        Client("bare queue and 50 tasks", "noop_bare.py", (str(NOOP_ITEMS), *extra)),
        ours,
        Client("flexllm 0.17", "noop_flexllm.py", (str(NOOP_ITEMS), *extra), python),
        Client(
            "async-batch-llm 0.28, metrics on",
            "noop_async_batch_llm.py",
            (str(SLOW_PEER_ITEMS), *extra),
            python,
        ),
    ]
    interleaved(clients, rounds)
    rows = [
        [
            client.name,
            f"{int(client.arguments[0]):,}",
            f"{client.median('cpu_us'):.1f}",
            f"{client.median('rss_bytes'):.0f}",
            f"{client.median('cpu_us') / ours.median('cpu_us'):.1f}",
        ]
        for client in clients
    ]
    what = "calls that suspend once" if suspend else "no-op calls"
    table(
        f"{what}, 50 workers, medians of {rounds} interleaved runs",
        ["", "items", "CPU us/item", "RSS bytes/item", "CPU, times ours"],
        rows,
    )


def latency(rounds: int) -> None:
    """Ideal wall time over actual, for calls that take a fixed time."""
    rows = []
    python = peers.python()
    for workers, waves, seconds in LATENCY_CASES:
        arguments = (str(workers), str(waves), str(seconds))
        clients = [
            Client("batch-llm", "latency_batch_llm.py", arguments),
            Client("flexllm 0.17", "latency_flexllm.py", arguments, python),
            Client("async-batch-llm 0.28", "latency_async_batch_llm.py", arguments, python),
        ]
        interleaved(clients, rounds)
        ideal = waves * seconds
        rows.append(
            [
                f"{workers:,} workers x {seconds:g} s, {waves} waves",
                *(f"{ideal / client.median('wall_seconds'):.3f}" for client in clients),
            ]
        )
    table(
        f"ideal / actual wall time, medians of {rounds} interleaved runs",
        ["", "batch-llm", "flexllm 0.17", "async-batch-llm 0.28"],
        rows,
    )


def importing(rounds: int) -> None:
    """CPU that the import costs."""
    python = peers.python()
    clients = [
        Client("nothing but asyncio", "import_cost.py", ("asyncio",)),
        Client("batch_llm", "import_cost.py", ("batch_llm",)),
        Client("batch_llm.parallel", "import_cost.py", ("batch_llm.parallel",)),
        Client("flexllm", "import_cost.py", ("flexllm",), python),
        Client("async_batch_llm", "import_cost.py", ("async_batch_llm",), python),
    ]
    interleaved(clients, rounds)
    table(
        f"import, medians of {rounds} interleaved runs",
        ["", "CPU ms of the import", "CPU ms of the process"],
        [[c.name, f"{c.median('cpu_ms'):.0f}", f"{c.median('process_ms'):.0f}"] for c in clients],
    )
