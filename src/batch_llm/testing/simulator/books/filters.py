"""Which calls are meant, by the values that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypedDict, get_args

from ....exceptions import ConfigurationError
from ..call import Lane, Provider
from ..faults import FaultKind
from .record import Fate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .record import CallRecord
    from .sums import Scope

_KNOWN_VALUES: Final = {
    "provider": get_args(Provider),
    "lane": get_args(Lane),
    "fate": get_args(Fate),
    "fault": (None, *FaultKind),
}


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


def check_filter(wanted: ScopeFilter | WindowFilter | RecordFilter, kind: type) -> None:
    """Refuse a filter that could never fit: a test that counts nothing would pass by it.

    Args:
        wanted: names and values.
        kind: the filter that says which names there are.

    Raises:
        ConfigurationError: for a name that is none, or a value that its name cannot have.
    """
    values: Mapping[str, object] = {**wanted}
    names = kind.__annotations__
    for name, value in values.items():
        if name not in names:
            raise ConfigurationError(f"There is no {name!r} to choose by: {', '.join(names)}.")
        known = _KNOWN_VALUES.get(name)
        if known is not None and value not in known:
            words = ", ".join(str(getattr(each, "value", each)) for each in known)
            raise ConfigurationError(f"{name} is one of {words}; not {value!r}.")
