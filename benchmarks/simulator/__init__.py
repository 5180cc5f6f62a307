"""How fast the simulator is: `python -m benchmarks.simulator`."""

from .batch import batch
from .live import live

__all__ = ["batch", "live"]
