"""Batches, as all three providers run them."""

from .batch import ENDED, BatchState, DoneLine, LineEnd, RemoteBatch
from .runner import BatchRunner

__all__ = ["ENDED", "BatchRunner", "BatchState", "DoneLine", "LineEnd", "RemoteBatch"]
