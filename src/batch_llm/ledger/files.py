"""A ledger as a kind of file."""

from __future__ import annotations

from typing import Final

from ..exceptions import LedgerError
from ..files import FileKind

LEDGER: Final = FileKind("ledger", LedgerError)
