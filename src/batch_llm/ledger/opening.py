"""Opening a ledger to write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..files import PathLock
from .files import LEDGER, is_for_lines
from .jsonl import JsonlStore
from .ledger import Ledger
from .sqlite import SqliteStore

if TYPE_CHECKING:
    from ..core import LedgerConfig


def open_ledger(config: LedgerConfig) -> Ledger:
    """Return the ledger at `config.path`, for this process alone; create it where there is none.

    It may take seconds where a million items are kept: call it in a thread, if the loop is busy.

    Raises:
        ConfigurationError: if there can be no ledger: a directory, a file that is something else,
            one that may not be written, or one of a newer version.
        LedgerError: if another has it open, or it cannot be read.
    """
    config.validate()
    path = LEDGER.resolved(config.path)
    LEDGER.check_writable(path, reader="read_ledger")
    lock = PathLock(path, LEDGER)
    try:
        make = JsonlStore if is_for_lines(path) else SqliteStore
        return Ledger(make(path, config), lock, config)
    except BaseException:
        lock.close()
        raise
