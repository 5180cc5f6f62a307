"""Nouns of every lane: requests, work items, results, usage."""

from .citation import Citation, CitationKind
from .cited_value import CitedValue
from .failures import FailureGroup
from .job import Job, JobKind, ResponseModel
from .job_result import JobResult
from .model_config import ModelConfig
from .processor import BatchProcessor, PostProcessorFunc, ProgressCallbackFunc
from .request import (
    FilePart,
    ImagePart,
    LLMRequest,
    Message,
    Part,
    Prompt,
    RequestDefaults,
    Role,
    TextPart,
)
from .results import (
    ERROR_MESSAGE_MAX_LENGTH,
    BatchResult,
    Origin,
    Outcome,
    WorkItemResult,
    describe_error,
)
from .retry_state import RetryState
from .schema import OutputSchema
from .stats import ProcessingStats
from .strategy import LLMCallStrategy, PricedModel, RequestStrategy, RoutingStrategy, TOutput
from .usage import TokenBound, TokenUsage, add_usage, complete_usage, empty_usage
from .work_item import LLMWorkItem, TContext, TInput

__all__ = [
    "ERROR_MESSAGE_MAX_LENGTH",
    "BatchProcessor",
    "BatchResult",
    "Citation",
    "CitationKind",
    "CitedValue",
    "FailureGroup",
    "FilePart",
    "ImagePart",
    "Job",
    "JobKind",
    "JobResult",
    "LLMCallStrategy",
    "LLMRequest",
    "LLMWorkItem",
    "Message",
    "ModelConfig",
    "Origin",
    "Outcome",
    "OutputSchema",
    "Part",
    "PostProcessorFunc",
    "PricedModel",
    "ProcessingStats",
    "ProgressCallbackFunc",
    "Prompt",
    "RequestDefaults",
    "RequestStrategy",
    "ResponseModel",
    "RetryState",
    "Role",
    "RoutingStrategy",
    "TContext",
    "TInput",
    "TOutput",
    "TextPart",
    "TokenBound",
    "TokenUsage",
    "WorkItemResult",
    "add_usage",
    "complete_usage",
    "describe_error",
    "empty_usage",
]
