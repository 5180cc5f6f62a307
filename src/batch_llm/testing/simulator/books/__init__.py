"""The provider's own books: what was accepted, answered and billed."""

from .books import Books, Keep
from .record import CallRecord, Fate

__all__ = ["Books", "CallRecord", "Fate", "Keep"]
