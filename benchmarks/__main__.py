"""Run the benchmarks: `python -m benchmarks [--rounds N] [SECTION …]`; `SECTIONS` has them all."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Final

from . import batch_lane, engine, ledger

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS: Final = 5


def _http(rounds: int) -> None:
    from . import http

    http.main(rounds)


def _simulator(rounds: int) -> None:
    from . import simulator

    for _ in range(rounds):
        simulator.live()
        simulator.batch()


def _pacing(rounds: int) -> None:
    from . import pacing

    for _ in range(rounds):
        pacing.pacing()


def _discovery(rounds: int) -> None:
    from . import discovery

    for _ in range(rounds):
        discovery.discovery()


def _batches(rounds: int) -> None:
    from . import batches

    for _ in range(rounds):
        batches.compare()


def _retry(rounds: int) -> None:
    from . import retry_after

    for _ in range(rounds):
        retry_after.retrying()


SECTIONS: dict[str, Callable[[int], None]] = {
    "import": engine.importing,
    "noop": lambda rounds: engine.noop(rounds, suspend=False),
    "suspend": lambda rounds: engine.noop(rounds, suspend=True),
    "latency": engine.latency,
    "ledger": ledger.ledger,
    "keep": ledger.kept,
    "million": ledger.many,
    "batch": batch_lane.batch,
    "http": _http,
    "simulator": _simulator,
    "pacing": _pacing,
    "discovery": _discovery,
    "retry": _retry,
    "batches": _batches,
}

IN_REAL_TIME: Final = ("pacing", "discovery", "retry", "batches")
"""They wait for real time to pass, as limits and batches do: run only when named."""


def main() -> None:
    """Run the sections named, or all that do not wait for real minutes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Without a section, all run but those in real time: pacing (3 minutes), "
        "discovery (8), retry (1) and batches (2).",
    )
    parser.add_argument("sections", nargs="*", default=[], metavar="|".join(SECTIONS))
    parser.add_argument(
        "--rounds",
        type=int,
        default=None,
        help=f"of each section; {ROUNDS} if not told, and 1 in real time",
    )
    chosen = parser.parse_args()
    if chosen.rounds is not None and chosen.rounds < 1:
        parser.error("--rounds takes a number from 1 up")
    for name in chosen.sections or [name for name in SECTIONS if name not in IN_REAL_TIME]:
        if name not in SECTIONS:
            parser.error(f"no section {name!r}; there are {', '.join(SECTIONS)}")
        SECTIONS[name](chosen.rounds or (1 if name in IN_REAL_TIME else ROUNDS))


main()
