"""What is written, in the order in which it happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .record import ResultRecord


@dataclass(slots=True)
class RunBegun:
    """A run began; what stood in the ledger before is what it may replay."""

    run: int
    at: float
    pid: int
    version: str


@dataclass(slots=True)
class RunEnded:
    """A run ended in good order."""

    run: int
    at: float
    counts: Mapping[str, float]


@dataclass(slots=True)
class CallReserved:
    """A call is about to be made, and may cost so much at the most."""

    call_number: int
    run: int
    bound_usd: float


@dataclass(slots=True)
class CallSettled:
    """A call cost so much; None: its answer never came."""

    call_number: int
    usd: float | None


@dataclass(slots=True)
class ItemEnded:
    """An item ended; its settlements are part of it, and `spent_usd` is their sum."""

    record: ResultRecord
    run: int
    at: float
    spent_usd: float


Entry: TypeAlias = RunBegun | RunEnded | CallReserved | CallSettled | ItemEnded
