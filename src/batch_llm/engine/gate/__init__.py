"""Admission before every attempt."""

from .gate import Gate
from .opening import new_gate

__all__ = ["Gate", "new_gate"]
