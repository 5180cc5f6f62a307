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
        Citation,
        FailureGroup,
        FilePart,
        ImagePart,
        Job,
        JobResult,
        LLMCallStrategy,
        LLMRequest,
        LLMWorkItem,
        Message,
        ModelConfig,
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
    from .batch import (
        AnthropicProvider,
        Batch,
        BatchConfig,
        BatchParams,
        BatchRequest,
        BatchRun,
        BatchState,
        ConcurrentExecutor,
        CostTracker,
        GeminiProvider,
        MockProvider,
        OpenAIProvider,
        Provider,
        ProviderRegistry,
        StateManager,
        to_batch,
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
        BudgetExceededError,
        ConfigurationError,
        ConnectionFailedError,
        InputError,
        InvalidRequestError,
        JobError,
        LaneError,
        LedgerError,
        MalformedAnswerError,
        MissingExtraError,
        MissingKeyError,
        MissingLibraryError,
        OutputTruncatedError,
        OutputValidationError,
        ProcessorClosedError,
        ProviderError,
        ProviderTimeoutError,
        RateLimitedError,
        RefusalError,
        ServerError,
        SourceError,
        StateError,
        StateMismatchError,
        SubmissionError,
        UnkeptOutputError,
    )
    from .llm_strategies import (
        AnthropicStrategy,
        EscalatingStrategy,
        GeminiCachedStrategy,
        GeminiResponse,
        GeminiStrategy,
        LocalModelStrategy,
        OpenAICompatibleStrategy,
        PydanticAIModelStrategy,
        PydanticAIStrategy,
        StrategyPool,
        strategies_by_name,
        strategy_by_name,
    )
    from .middleware import BaseMiddleware, Middleware
    from .observers import BaseObserver, MetricsObserver, ProcessingEvent, ProcessorObserver
    from .parallel import ParallelBatchProcessor
    from .progress import RichBatchTable, RichProgressBar
    from .prompts import (
        process_prompts,
        process_prompts_sync,
        process_stream,
        process_stream_sync,
    )
    from .rows import work_items
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
        "ERROR_MESSAGE_MAX_LENGTH BatchProcessor BatchResult Citation FailureGroup FilePart "
        "ImagePart Job JobResult LLMCallStrategy LLMRequest LLMWorkItem Message ModelConfig "
        "OutputSchema PostProcessorFunc "
        "PricedModel ProcessingStats ProgressCallbackFunc RequestStrategy RetryState "
        "RoutingStrategy TextPart TokenBound TokenUsage WorkItemResult"
    ),
    "batch": (
        "AnthropicProvider Batch BatchConfig BatchParams BatchRequest BatchRun BatchState "
        "ConcurrentExecutor CostTracker GeminiProvider MockProvider OpenAIProvider Provider "
        "ProviderRegistry StateManager to_batch"
    ),
    "classifiers": "GeminiErrorClassifier",
    "core": (
        "AgentLike HedgeConfig LedgerConfig ProcessorConfig RateLimitConfig ResultLike RetryConfig "
        "SharedLimits UsageLike"
    ),
    "exceptions": (
        "AnswerError AuthenticationError BatchLLMError BudgetExceededError ConfigurationError "
        "ConnectionFailedError InputError InvalidRequestError JobError LaneError LedgerError "
        "MalformedAnswerError MissingExtraError MissingKeyError MissingLibraryError "
        "OutputTruncatedError OutputValidationError ProcessorClosedError ProviderError "
        "ProviderTimeoutError RateLimitedError RefusalError ServerError SourceError StateError "
        "StateMismatchError SubmissionError UnkeptOutputError"
    ),
    "llm_strategies": (
        "AnthropicStrategy EscalatingStrategy GeminiCachedStrategy GeminiResponse GeminiStrategy "
        "LocalModelStrategy OpenAICompatibleStrategy PydanticAIModelStrategy PydanticAIStrategy "
        "StrategyPool strategies_by_name strategy_by_name"
    ),
    "middleware": "BaseMiddleware Middleware",
    "observers": "BaseObserver MetricsObserver ProcessingEvent ProcessorObserver",
    "parallel": "ParallelBatchProcessor",
    "progress": "RichBatchTable RichProgressBar",
    "prompts": "process_prompts process_prompts_sync process_stream process_stream_sync",
    "rows": "work_items",
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
    "AnthropicProvider",
    "AnthropicStrategy",
    "AuthenticationError",
    "BaseMiddleware",
    "BaseObserver",
    "Batch",
    "BatchConfig",
    "BatchLLMError",
    "BatchParams",
    "BatchProcessor",
    "BatchRequest",
    "BatchResult",
    "BatchRun",
    "BatchState",
    "BudgetExceededError",
    "Citation",
    "ConcurrentExecutor",
    "ConfigurationError",
    "ConnectionFailedError",
    "CostTracker",
    "DefaultErrorClassifier",
    "ErrorClassifier",
    "ErrorInfo",
    "EscalatingStrategy",
    "ExponentialBackoffStrategy",
    "FailureGroup",
    "FilePart",
    "FixedDelayStrategy",
    "FrameworkTimeoutError",
    "GeminiCachedStrategy",
    "GeminiErrorClassifier",
    "GeminiProvider",
    "GeminiResponse",
    "GeminiStrategy",
    "HedgeConfig",
    "ImagePart",
    "InputError",
    "InvalidRequestError",
    "Job",
    "JobError",
    "JobResult",
    "LLMCallStrategy",
    "LLMRequest",
    "LLMWorkItem",
    "LaneError",
    "LedgerConfig",
    "LedgerError",
    "LocalModelStrategy",
    "MalformedAnswerError",
    "Message",
    "MetricsObserver",
    "Middleware",
    "MissingExtraError",
    "MissingKeyError",
    "MissingLibraryError",
    "MockProvider",
    "ModelConfig",
    "OpenAICompatibleStrategy",
    "OpenAIProvider",
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
    "Provider",
    "ProviderError",
    "ProviderRegistry",
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
    "RichBatchTable",
    "RichProgressBar",
    "RoutingStrategy",
    "ServerError",
    "SharedLimits",
    "SourceError",
    "StateError",
    "StateManager",
    "StateMismatchError",
    "StrategyPool",
    "SubmissionError",
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
    "strategies_by_name",
    "strategy_by_name",
    "to_batch",
    "work_items",
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
    from .core.version import package_version

    return package_version()
