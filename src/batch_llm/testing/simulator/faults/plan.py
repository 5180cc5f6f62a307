"""Which request meets which fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .fault import BEFORE, OF_BATCH, OF_TRANSPORT, Fault, FaultKind
from .text import fault_from_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ..call import ModelCall
    from ..chance import Chance

FAULT_HEADER: Final = "x-sim-fault"
"""A header by which a request asks for a fault of its own."""


class _Entry:
    """A fault, and what became of it so far."""

    __slots__ = ("calls", "fault", "happened", "id")

    def __init__(self, fault: Fault, identifier: int) -> None:
        self.fault = fault
        self.id = identifier
        self.calls = 0
        self.happened = 0


class FaultPlan:
    """All faults that are in force, in the order in which they were added.

    Args:
        chance: where rates are drawn from.
    """

    def __init__(self, chance: Chance) -> None:
        self._chance = chance
        self._entries: list[_Entry] = []
        self._next_id = 1

    def add(self, fault: Fault) -> int:
        """Put a fault into force; return its number, for `remove`."""
        entry = _Entry(fault, self._next_id)
        self._next_id += 1
        self._entries.append(entry)
        return entry.id

    def remove(self, identifier: int) -> bool:
        """Take a fault out of force; return whether it was there."""
        kept = [entry for entry in self._entries if entry.id != identifier]
        found = len(kept) < len(self._entries)
        self._entries = kept
        return found

    def clear(self) -> None:
        """Take all faults out of force."""
        self._entries = []

    def in_force(self) -> list[tuple[int, Fault, int]]:
        """Return the number of each fault, the fault, and how often it happened."""
        return [(entry.id, entry.fault, entry.happened) for entry in self._entries]

    def for_call(self, call: ModelCall) -> Fault | None:
        """Return what happens to this call of a model, live or in a batch."""
        asked = fault_in(call.headers)
        is_possible = asked is not None and _happens_to_calls(asked)
        return self._first(
            asked if is_possible else None,
            lambda fault: _happens_to_calls(fault) and fault.fits_call(call),
            call.subject,
        )

    def for_request(
        self,
        provider: str,
        operation: str,
        key: str,
        headers: Mapping[str, str],
        subject: bytes,
    ) -> Fault | None:
        """Return what happens to a request that calls no model: a create, a list, a download."""
        asked = fault_in(headers)
        is_possible = asked is not None and asked.kind in BEFORE | OF_TRANSPORT
        return self._first(
            asked if is_possible else None,
            lambda fault: _happens_to_requests(fault) and fault.fits(provider, operation, key),
            subject,
        )

    def for_list(
        self,
        provider: str,
        operation: str,
        key: str,
        headers: Mapping[str, str],
        subject: bytes,
    ) -> Fault | None:
        """Return the fault that makes a list stale, or None."""
        asked = fault_in(headers)
        is_possible = asked is not None and asked.kind is FaultKind.STALE_LIST
        return self._first(
            asked if is_possible else None,
            lambda fault: (
                fault.kind is FaultKind.STALE_LIST and fault.fits(provider, operation, key)
            ),
            subject,
        )

    def for_batch(self, call: ModelCall, headers: Mapping[str, str], subject: bytes) -> list[Fault]:
        """Return what happens to a batch whose first line is `call`: any number of faults.

        `operation` of such a fault is "batches.create", or is left out; `headers` are those of
        the request that made the batch.
        """
        asked = fault_in(headers)
        is_met = (
            asked is not None and asked.kind in OF_BATCH and self._falls_by_rate(asked, subject)
        )
        faults = [asked] if asked is not None and is_met else []
        for entry in self._entries:
            if entry.fault.kind in OF_BATCH and _fits_batch(entry.fault, call):
                entry.calls += 1
                if self._falls(entry, subject):
                    faults.append(entry.fault)
        return faults

    def _first(
        self, asked: Fault | None, fits: Callable[[Fault], bool], subject: bytes
    ) -> Fault | None:
        """Return the fault that was asked for, or the first of those that fit and fall."""
        if asked is not None and not self._falls_by_rate(asked, subject):
            asked = None
        if not self._entries:
            return asked
        fitting = [entry for entry in self._entries if fits(entry.fault)]
        for entry in fitting:
            entry.calls += 1
        if asked is not None:
            return asked
        return next((entry.fault for entry in fitting if self._falls(entry, subject)), None)

    def _falls_by_rate(self, asked: Fault, subject: bytes) -> bool:
        return asked.rate >= 1 or self._chance.uniform("fault asked for", subject) < asked.rate

    def _falls(self, entry: _Entry, subject: bytes) -> bool:
        fault = entry.fault
        if fault.times is not None and entry.happened >= fault.times:
            return False
        if fault.calls and entry.calls not in fault.calls:
            return False
        if fault.rate < 1 and self._chance.uniform(f"fault {entry.id}", subject) >= fault.rate:
            return False
        entry.happened += 1
        return True


def fault_in(headers: Mapping[str, str]) -> Fault | None:
    """Return the fault that a request asks for by its header, or None.

    Raises:
        ConfigurationError: for a header that names none; see `fault_from_text`.
    """
    wanted = headers.get(FAULT_HEADER)
    return None if wanted is None else fault_from_text(wanted)


def _happens_to_calls(fault: Fault) -> bool:
    return fault.kind not in OF_BATCH and fault.kind is not FaultKind.STALE_LIST


def _happens_to_requests(fault: Fault) -> bool:
    return _happens_to_calls(fault) and not fault.concerns_calls_only()


def _fits_batch(fault: Fault, call: ModelCall) -> bool:
    return (
        fault.provider in (None, call.provider)
        and fault.operation in (None, "batches.create")
        and fault.key in (None, call.key)
        and fault.model in (None, call.model)
    )
