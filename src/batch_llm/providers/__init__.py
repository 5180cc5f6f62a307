"""The Batch APIs: what is sent to one, and how its results come back."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from .base import BatchClient
from .chunk import Chunk, ChunkLimits, Intent
from .orphan import Found, NotFound, Orphan, Unprovable
from .retries import Retries

if TYPE_CHECKING:
    from .anthropic import AnthropicBatchClient
    from .gemini import GeminiBatchClient
    from .mock import MockBatchClient
    from .openai import OpenAIBatchClient

_LEAVES = {
    "AnthropicBatchClient": "anthropic",
    "GeminiBatchClient": "gemini",
    "MockBatchClient": "mock",
    "OpenAIBatchClient": "openai",
}

__all__ = [
    "AnthropicBatchClient",
    "BatchClient",
    "Chunk",
    "ChunkLimits",
    "Found",
    "GeminiBatchClient",
    "Intent",
    "MockBatchClient",
    "NotFound",
    "OpenAIBatchClient",
    "Orphan",
    "Retries",
    "Unprovable",
]


def __getattr__(name: str) -> object:
    leaf = _LEAVES.get(name)
    if leaf is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{leaf}"), name)
    globals()[name] = value
    return value
