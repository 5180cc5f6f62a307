"""Send many requests to language models: paced, retried, counted, and never lost.

The names below are loaded when they are first used, so that importing the package costs little and
imports no SDK.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .base import (
        ERROR_MESSAGE_MAX_LENGTH,
        BatchProcessor,
        BatchResult,
        FilePart,
        ImagePart,
        LLMCallStrategy,
        LLMRequest,
        LLMWorkItem,
        Message,
        OutputSchema,
        PostProcessorFunc,
        PricedModel,
        ProcessingStats,
        ProgressCallbackFunc,
        RequestStrategy,
        RetryState,
        RoutingStrategy,
        TextPart,
        TokenBound,
        TokenUsage,
        WorkItemResult,
    )
    from .classifiers import GeminiErrorClassifier
    from .core import (
        AgentLike,
        HedgeConfig,
        LedgerConfig,
        ProcessorConfig,
        RateLimitConfig,
        ResultLike,
        RetryConfig,
        SharedLimits,
        UsageLike,
    )
    from .exceptions import (
        AnswerError,
        AuthenticationError,
        BatchLLMError,
        ConfigurationError,
        ConnectionFailedError,
        InputError,
        InvalidRequestError,
        LedgerError,
        MalformedAnswerError,
        MissingExtraError,
        MissingKeyError,
        OutputTruncatedError,
        OutputValidationError,
        ProcessorClosedError,
        ProviderError,
        ProviderTimeoutError,
        RateLimitedError,
        RefusalError,
        ServerError,
        SourceError,
        UnkeptOutputError,
    )
    from .llm_strategies import (
        AnthropicStrategy,
        GeminiCachedStrategy,
        GeminiResponse,
        GeminiStrategy,
        LocalModelStrategy,
        OpenAICompatibleStrategy,
        PydanticAIModelStrategy,
        PydanticAIStrategy,
        strategy_by_name,
    )
    from .middleware import BaseMiddleware, Middleware
    from .observers import BaseObserver, MetricsObserver, ProcessingEvent, ProcessorObserver
    from .parallel import ParallelBatchProcessor
    from .progress import RichProgressBar
    from .prompts import (
        process_prompts,
        process_prompts_sync,
        process_stream,
        process_stream_sync,
    )
    from .strategies import (
        DefaultErrorClassifier,
        ErrorClassifier,
        ErrorInfo,
        ExponentialBackoffStrategy,
        FixedDelayStrategy,
        FrameworkTimeoutError,
        RateLimitStrategy,
    )

    __version__: str

_HOMES = {
    "base": (
        "ERROR_MESSAGE_MAX_LENGTH BatchProcessor BatchResult FilePart ImagePart LLMCallStrategy "
        "LLMRequest LLMWorkItem Message OutputSchema PostProcessorFunc PricedModel "
        "ProcessingStats ProgressCallbackFunc RequestStrategy RetryState RoutingStrategy TextPart "
        "TokenBound TokenUsage WorkItemResult"
    ),
    "classifiers": "GeminiErrorClassifier",
    "core": (
        "AgentLike HedgeConfig LedgerConfig ProcessorConfig RateLimitConfig ResultLike RetryConfig "
        "SharedLimits UsageLike"
    ),
    "exceptions": (
        "AnswerError AuthenticationError BatchLLMError ConfigurationError ConnectionFailedError "
        "InputError InvalidRequestError LedgerError MalformedAnswerError MissingExtraError "
        "MissingKeyError OutputTruncatedError OutputValidationError ProcessorClosedError "
        "ProviderError ProviderTimeoutError RateLimitedError RefusalError ServerError SourceError "
        "UnkeptOutputError"
    ),
    "llm_strategies": (
        "AnthropicStrategy GeminiCachedStrategy GeminiResponse GeminiStrategy LocalModelStrategy "
        "OpenAICompatibleStrategy PydanticAIModelStrategy PydanticAIStrategy strategy_by_name"
    ),
    "middleware": "BaseMiddleware Middleware",
    "observers": "BaseObserver MetricsObserver ProcessingEvent ProcessorObserver",
    "parallel": "ParallelBatchProcessor",
    "progress": "RichProgressBar",
    "prompts": "process_prompts process_prompts_sync process_stream process_stream_sync",
    "strategies": (
        "DefaultErrorClassifier ErrorClassifier ErrorInfo ExponentialBackoffStrategy "
        "FixedDelayStrategy FrameworkTimeoutError RateLimitStrategy"
    ),
}
# Reached as attributes too: `import batch_llm; batch_llm.core.RetryConfig`.
_ROOMS = frozenset((*_HOMES, "testing"))
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "ERROR_MESSAGE_MAX_LENGTH",
    "AgentLike",
    "AnswerError",
    "AnthropicStrategy",
    "AuthenticationError",
    "BaseMiddleware",
    "BaseObserver",
    "BatchLLMError",
    "BatchProcessor",
    "BatchResult",
    "ConfigurationError",
    "ConnectionFailedError",
    "DefaultErrorClassifier",
    "ErrorClassifier",
    "ErrorInfo",
    "ExponentialBackoffStrategy",
    "FilePart",
    "FixedDelayStrategy",
    "FrameworkTimeoutError",
    "GeminiCachedStrategy",
    "GeminiErrorClassifier",
    "GeminiResponse",
    "GeminiStrategy",
    "HedgeConfig",
    "ImagePart",
    "InputError",
    "InvalidRequestError",
    "LLMCallStrategy",
    "LLMRequest",
    "LLMWorkItem",
    "LedgerConfig",
    "LedgerError",
    "LocalModelStrategy",
    "MalformedAnswerError",
    "Message",
    "MetricsObserver",
    "Middleware",
    "MissingExtraError",
    "MissingKeyError",
    "OpenAICompatibleStrategy",
    "OutputSchema",
    "OutputTruncatedError",
    "OutputValidationError",
    "ParallelBatchProcessor",
    "PostProcessorFunc",
    "PricedModel",
    "ProcessingEvent",
    "ProcessingStats",
    "ProcessorClosedError",
    "ProcessorConfig",
    "ProcessorObserver",
    "ProgressCallbackFunc",
    "ProviderError",
    "ProviderTimeoutError",
    "PydanticAIModelStrategy",
    "PydanticAIStrategy",
    "RateLimitConfig",
    "RateLimitStrategy",
    "RateLimitedError",
    "RefusalError",
    "RequestStrategy",
    "ResultLike",
    "RetryConfig",
    "RetryState",
    "RichProgressBar",
    "RoutingStrategy",
    "ServerError",
    "SharedLimits",
    "SourceError",
    "TextPart",
    "TokenBound",
    "TokenUsage",
    "UnkeptOutputError",
    "UsageLike",
    "WorkItemResult",
    "__version__",
    "process_prompts",
    "process_prompts_sync",
    "process_stream",
    "process_stream_sync",
    "strategy_by_name",
]


def __getattr__(name: str) -> object:
    if name == "__version__":
        value: object = _version()
    elif name in _ROOMS:
        value = importlib.import_module(f"{__name__}.{name}")
    elif name in _HOME_OF:
        value = getattr(importlib.import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("batch-llm")
    except PackageNotFoundError:
        return "0.0.0+dev"
