"""What it costs to keep a result: identity, group commit and file, without an engine."""

from __future__ import annotations

from .measure import Client, interleaved, table

ITEMS = 100_000


def main(rounds: int) -> None:
    """CPU, throughput and memory for 50 tasks that keep results as fast as they are durable."""
    clients = [
        Client(name, "ledger_keep.py", (str(ITEMS), *arguments))
        for name, arguments in (
            ("SQLite", ("sqlite",)),
            ("JSONL", ("jsonl",)),
            ("SQLite, each call reserved", ("sqlite", "reserve")),
            ("JSONL, each call reserved", ("jsonl", "reserve")),
        )
    ]
    interleaved(clients, rounds)
    rows = [
        [
            client.name,
            f"{client.median('cpu_us'):.1f}",
            f"{ITEMS / client.median('wall_seconds'):,.0f}",
            f"{client.median('rss_bytes'):.0f}",
        ]
        for client in clients
    ]
    table(
        f"{ITEMS:,} results kept by 50 tasks, medians of {rounds} interleaved runs",
        ["", "CPU us/item", "items/s", "RSS bytes/item"],
        rows,
    )
