"""Run the benchmarks: `python -m benchmarks [--rounds N] [SECTION …]`; `SECTIONS` has them all."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from . import engine, ledger

if TYPE_CHECKING:
    from collections.abc import Callable


def _http(rounds: int) -> None:
    from . import http

    http.main(rounds)


def _simulator(rounds: int) -> None:
    from . import simulator

    for _ in range(rounds):
        simulator.live()
        simulator.batch()


SECTIONS: dict[str, Callable[[int], None]] = {
    "import": engine.importing,
    "noop": lambda rounds: engine.noop(rounds, suspend=False),
    "suspend": lambda rounds: engine.noop(rounds, suspend=True),
    "latency": engine.latency,
    "ledger": ledger.ledger,
    "keep": ledger.kept,
    "million": ledger.many,
    "http": _http,
    "simulator": _simulator,
}


def main() -> None:
    """Run the sections named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("sections", nargs="*", default=[], metavar="|".join(SECTIONS))
    parser.add_argument("--rounds", type=int, default=5)
    chosen = parser.parse_args()
    if chosen.rounds < 1:
        parser.error("--rounds takes a number from 1 up")
    for name in chosen.sections or SECTIONS:
        if name not in SECTIONS:
            parser.error(f"no section {name!r}; there are {', '.join(SECTIONS)}")
        SECTIONS[name](chosen.rounds)


main()
