"""Batches, as all three providers run them."""

from .batch import ENDED, BatchState, DoneLine, LineEnd, RemoteBatch
from .lines import kept_from_running
from .lots import drawn_lines
from .runner import BatchRunner

__all__ = [
    "ENDED",
    "BatchRunner",
    "BatchState",
    "DoneLine",
    "LineEnd",
    "RemoteBatch",
    "drawn_lines",
    "kept_from_running",
]
