"""Anthropic."""

from .face import AnthropicFace

__all__ = ["AnthropicFace"]
