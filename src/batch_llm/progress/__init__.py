"""How far a run has come, drawn where the user looks."""

from .bar import RichProgressBar

__all__ = ["RichProgressBar"]
