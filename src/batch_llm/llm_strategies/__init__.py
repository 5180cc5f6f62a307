"""Ways to call a model: `LLMCallStrategy`, and one leaf a provider or library.

Each leaf is loaded when it is first used, and imports its SDK when it first calls.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ..base import LLMCallStrategy, RequestStrategy

if TYPE_CHECKING:
    from .anthropic import AnthropicStrategy
    from .by_name import strategies_by_name, strategy_by_name
    from .escalation import EscalatingStrategy
    from .gemini.cached import GeminiCachedStrategy
    from .gemini.response import GeminiResponse
    from .gemini.strategy import GeminiStrategy
    from .local import LocalModelStrategy
    from .openai_compatible import OpenAICompatibleStrategy
    from .pool import StrategyPool
    from .pydantic_ai.model import PydanticAIModelStrategy
    from .pydantic_ai.strategy import PydanticAIStrategy

_LEAVES = {
    "AnthropicStrategy": "anthropic",
    "EscalatingStrategy": "escalation",
    "GeminiCachedStrategy": "gemini.cached",
    "GeminiResponse": "gemini.response",
    "GeminiStrategy": "gemini.strategy",
    "LocalModelStrategy": "local",
    "OpenAICompatibleStrategy": "openai_compatible",
    "PydanticAIModelStrategy": "pydantic_ai.model",
    "PydanticAIStrategy": "pydantic_ai.strategy",
    "StrategyPool": "pool",
    "strategies_by_name": "by_name",
    "strategy_by_name": "by_name",
}

__all__ = [
    "AnthropicStrategy",
    "EscalatingStrategy",
    "GeminiCachedStrategy",
    "GeminiResponse",
    "GeminiStrategy",
    "LLMCallStrategy",
    "LocalModelStrategy",
    "OpenAICompatibleStrategy",
    "PydanticAIModelStrategy",
    "PydanticAIStrategy",
    "RequestStrategy",
    "StrategyPool",
    "strategies_by_name",
    "strategy_by_name",
]


def __getattr__(name: str) -> object:
    leaf = _LEAVES.get(name)
    if leaf is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{leaf}"), name)
    globals()[name] = value
    return value
