"""Batches on bad days, in this package and beside it: `python -m benchmarks batches`."""

from .comparison import compare

__all__ = ["compare"]
