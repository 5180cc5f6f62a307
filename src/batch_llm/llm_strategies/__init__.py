"""Ways to call a model: `LLMCallStrategy`, and one leaf a provider or library.

Each leaf is loaded when it is first used, and imports its SDK when it first calls.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ..base import LLMCallStrategy, RequestStrategy

if TYPE_CHECKING:
    from .by_name import strategy_by_name
    from .gemini import GeminiStrategy
    from .gemini_cached import GeminiCachedStrategy
    from .gemini_response import GeminiResponse
    from .local import LocalModelStrategy
    from .openai_compatible import OpenAICompatibleStrategy
    from .pydantic_ai import PydanticAIStrategy
    from .pydantic_ai_model import PydanticAIModelStrategy

_LEAVES = {
    "GeminiCachedStrategy": "gemini_cached",
    "GeminiResponse": "gemini_response",
    "GeminiStrategy": "gemini",
    "LocalModelStrategy": "local",
    "OpenAICompatibleStrategy": "openai_compatible",
    "PydanticAIModelStrategy": "pydantic_ai_model",
    "PydanticAIStrategy": "pydantic_ai",
    "strategy_by_name": "by_name",
}

__all__ = [
    "GeminiCachedStrategy",
    "GeminiResponse",
    "GeminiStrategy",
    "LLMCallStrategy",
    "LocalModelStrategy",
    "OpenAICompatibleStrategy",
    "PydanticAIModelStrategy",
    "PydanticAIStrategy",
    "RequestStrategy",
    "strategy_by_name",
]


def __getattr__(name: str) -> object:
    leaf = _LEAVES.get(name)
    if leaf is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{leaf}"), name)
    globals()[name] = value
    return value
