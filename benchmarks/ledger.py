"""What a ledger costs: items a second, CPU and memory, first run and rerun."""

from __future__ import annotations

import sys

from .measure import Client, interleaved, table

ITEMS = 100_000
MANY_ITEMS = 1_000_000
CASES = (
    ("no ledger", ("none",)),
    ("SQLite", ("sqlite",)),
    ("JSONL", ("jsonl",)),
    ("SQLite, a rerun", ("sqlite", "rerun")),
    ("JSONL, a rerun", ("jsonl", "rerun")),
)


def ledger(rounds: int) -> None:
    """Items a second with and without a ledger, no-op calls, 50 workers."""
    clients = [
        Client(name, "streamed_batch_llm.py", (str(ITEMS), *arguments)) for name, arguments in CASES
    ]
    interleaved(clients, rounds)
    _show(f"no-op calls, 50 workers, metrics on, streamed, medians of {rounds} runs", clients)


def many(rounds: int) -> None:
    """A million items: whether memory and pace hold."""
    clients = [
        Client(name, "streamed_batch_llm.py", (str(MANY_ITEMS), *arguments))
        for name, arguments in CASES[:3]
    ]
    interleaved(clients, 1)
    _show("a million of them, one run", clients)


def kept(rounds: int) -> None:
    """What it costs to keep a result: identity, group commit and file, without an engine."""
    cases = (
        ("SQLite", ("sqlite",)),
        ("JSONL", ("jsonl",)),
        ("SQLite, each call reserved", ("sqlite", "reserve")),
        ("JSONL, each call reserved", ("jsonl", "reserve")),
    )
    clients = [
        Client(name, "ledger_keep.py", (str(ITEMS), *arguments)) for name, arguments in cases
    ]
    interleaved(clients, rounds)
    _show(f"results kept by 50 tasks, medians of {rounds} runs", clients)


def _show(title: str, clients: list[Client]) -> None:
    rows = []
    for client in clients:
        items = int(client.arguments[0])
        rows.append(
            [
                client.name,
                f"{items:,}",
                f"{items / client.median('wall_seconds'):,.0f}",
                f"{client.median('cpu_us'):.1f}",
                f"{client.median('rss_bytes') * items / 1e6:.0f}",
            ]
        )
    head = ["", "items", "items/s", "CPU us/item", "RSS, MB above the start"]
    table(f"{title} (Python {sys.version.split()[0]})", head, rows)
