"""Gemini."""

from .face import GeminiFace

__all__ = ["GeminiFace"]
