"""The provider's own books: what was accepted, answered and billed."""

from .books import Books, Keep
from .creation import Creation
from .record import CallRecord, Fate
from .sums import Scope, Sums

__all__ = ["Books", "CallRecord", "Creation", "Fate", "Keep", "Scope", "Sums"]
