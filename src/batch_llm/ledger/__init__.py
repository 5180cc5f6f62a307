"""The ledger: what is durably known of a run."""

from .codec import OutputCodec, OutputCodecs
from .identity import ItemIdentity, identify, request_digest
from .ledger import Ledger
from .opening import open_ledger
from .reader import LedgerReader, read_ledger
from .record import (
    KeptOutcome,
    KeptOutput,
    KeptResult,
    KeptRow,
    KeptRun,
    LedgerSummary,
    ResultRecord,
    Settlement,
)

__all__ = [
    "ItemIdentity",
    "KeptOutcome",
    "KeptOutput",
    "KeptResult",
    "KeptRow",
    "KeptRun",
    "Ledger",
    "LedgerReader",
    "LedgerSummary",
    "OutputCodec",
    "OutputCodecs",
    "ResultRecord",
    "Settlement",
    "identify",
    "open_ledger",
    "read_ledger",
    "request_digest",
]
