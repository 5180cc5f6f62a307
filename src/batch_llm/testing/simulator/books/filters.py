"""Which calls are meant, by the values that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from ..call import Lane, Provider
    from ..faults import FaultKind
    from .record import CallRecord, Fate
    from .sums import Scope


class ScopeFilter(TypedDict, total=False):
    """Which sums are meant: those that have all of these values."""

    provider: Provider
    model: str
    key: str
    lane: Lane
    operation: str


class WindowFilter(TypedDict, total=False):
    """Which calls a window counts: those that have all of these values."""

    provider: Provider
    model: str
    key: str


class RecordFilter(ScopeFilter, total=False):
    """Which records are meant: those that have all of these values."""

    fate: Fate
    status: int
    fault: FaultKind | None
    executed: bool
    identity: bytes
    custom_id: str | None
    prompt: str


def fits(thing: CallRecord | Scope, wanted: ScopeFilter | WindowFilter | RecordFilter) -> bool:
    """Return whether a thing has all the values that are wanted."""
    return all(getattr(thing, name) == value for name, value in wanted.items())
