"""Which faults can happen to which endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .faults import BEFORE, OF_ANSWER, OF_BATCH, OF_TRANSPORT, FaultKind

if TYPE_CHECKING:
    from .call import Provider
    from .faults import Fault
    from .routes import Route

_LISTS: Final = frozenset({"files.list", "batches.list", "cachedContents.list"})
"""Lists of what clients made, which can be stale."""
_OF_VECTORS: Final = frozenset({"embeddings", "embedContent", "batchEmbedContents"})
"""Endpoints whose answers have no words."""
_OF_WORDS: Final = frozenset({FaultKind.REFUSAL, FaultKind.SAFETY, FaultKind.LENGTH})
_CREATE: Final = "batches.create"


def can_happen(kind: FaultKind, route: Route, provider: Provider) -> bool:
    """Return whether a fault of this kind can happen to an endpoint of a provider's."""
    if kind in BEFORE | OF_TRANSPORT:
        return True
    if kind in OF_ANSWER:
        return route.calls_model and not (kind in _OF_WORDS and route.operation in _OF_VECTORS)
    if kind in OF_BATCH:
        has_metadata = provider == "gemini"
        return route.operation == _CREATE and (
            has_metadata or kind is not FaultKind.BATCH_NO_METADATA
        )
    return route.operation in _LISTS


def can_meet(fault: Fault, route: Route, provider: Provider) -> bool:
    """Return whether an endpoint of a provider's can ever be one that `fault` names."""
    if fault.provider not in (None, provider) or fault.operation not in (None, route.operation):
        return False
    if not can_happen(fault.kind, route, provider):
        return False
    names_a_call = fault.kind in BEFORE | OF_TRANSPORT and fault.concerns_calls_only()
    return route.calls_model or not names_a_call
