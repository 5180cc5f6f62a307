"""OpenAI."""

from .face import OpenAIFace

__all__ = ["OpenAIFace"]
