"""The Batch APIs: what is sent to one, and how its results come back.

`Provider` and its likes, which make results of answers, are at home in `batch_llm.batch`, above
this room; they are found here by their names too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ..exceptions import ProviderError
from .base import BatchClient
from .chunk import Chunk, ChunkLimits, Intent
from .orphan import Found, NotFound, Orphan, Unprovable
from .retries import Retries

if TYPE_CHECKING:
    from ..base import ModelConfig
    from ..batch import (
        AnthropicProvider,
        BatchRequest,
        ClientProvider,
        GeminiProvider,
        MockProvider,
        OpenAIProvider,
        Provider,
        ProviderRegistry,
    )
    from .anthropic import AnthropicBatchClient
    from .gemini import GeminiBatchClient
    from .mock import MockBatchClient
    from .openai import OpenAIBatchClient

_LEAVES = {
    "AnthropicBatchClient": ".anthropic",
    "AnthropicProvider": "..batch",
    "BatchRequest": "..batch",
    "ClientProvider": "..batch",
    "GeminiBatchClient": ".gemini",
    "GeminiProvider": "..batch",
    "MockBatchClient": ".mock",
    "MockProvider": "..batch",
    "ModelConfig": "..base",
    "OpenAIBatchClient": ".openai",
    "OpenAIProvider": "..batch",
    "Provider": "..batch",
    "ProviderRegistry": "..batch",
}

__all__ = [
    "AnthropicBatchClient",
    "AnthropicProvider",
    "BatchClient",
    "BatchRequest",
    "Chunk",
    "ChunkLimits",
    "ClientProvider",
    "Found",
    "GeminiBatchClient",
    "GeminiProvider",
    "Intent",
    "MockBatchClient",
    "MockProvider",
    "ModelConfig",
    "NotFound",
    "OpenAIBatchClient",
    "OpenAIProvider",
    "Orphan",
    "Provider",
    "ProviderError",
    "ProviderRegistry",
    "Retries",
    "Unprovable",
]


def __getattr__(name: str) -> object:
    leaf = _LEAVES.get(name)
    if leaf is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(leaf, __name__), name)
    globals()[name] = value
    return value
