"""How far a run has come, drawn where the user looks."""

from .bar import RichProgressBar
from .batch_table import RichBatchTable

__all__ = ["RichBatchTable", "RichProgressBar"]
