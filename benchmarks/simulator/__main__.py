"""`python -m benchmarks.simulator [live] [batch] [--requests N] [--lines N]`."""

from __future__ import annotations

import argparse

from .batch import batch
from .live import live

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator")
    parser.add_argument("parts", nargs="*", choices=("live", "batch", []), default=[])
    parser.add_argument("--requests", type=int, default=50_000, help="of the live part")
    parser.add_argument("--lines", type=int, default=50_000, help="of the batch")
    chosen = parser.parse_args()
    if not chosen.parts or "live" in chosen.parts:
        live(chosen.requests)
    if not chosen.parts or "batch" in chosen.parts:
        batch(chosen.lines)
