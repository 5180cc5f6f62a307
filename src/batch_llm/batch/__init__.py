"""The batch lane: jobs that a provider's Batch API answers within a day, at half the price."""

from ..base import Citation, CitedValue, Job, JobResult, ModelConfig
from ..exceptions import JobError
from .batch import Batch, to_batch
from .batch_request import BatchRequest
from .built_in_providers import AnthropicProvider, GeminiProvider, OpenAIProvider
from .client_provider import ClientProvider
from .cost import CostStats, CostTracker
from .estimate import BatchEstimate, ModelEstimate
from .executor import ConcurrentExecutor
from .export import EXPORT_FORMATS, ExportFormat, export
from .job_settings import JobSettings
from .mock_provider import MockProvider
from .params import BatchConfig, BatchParams
from .provider import BatchStatus, Provider
from .provider_registry import ProviderRegistry
from .run import BatchRun
from .run_status import RemoteBatchStatus, RunStatus
from .state import BatchState, StateManager

__all__ = [
    "EXPORT_FORMATS",
    "AnthropicProvider",
    "Batch",
    "BatchConfig",
    "BatchEstimate",
    "BatchParams",
    "BatchRequest",
    "BatchRun",
    "BatchState",
    "BatchStatus",
    "Citation",
    "CitedValue",
    "ClientProvider",
    "ConcurrentExecutor",
    "CostStats",
    "CostTracker",
    "ExportFormat",
    "GeminiProvider",
    "Job",
    "JobError",
    "JobResult",
    "JobSettings",
    "MockProvider",
    "ModelConfig",
    "ModelEstimate",
    "OpenAIProvider",
    "Provider",
    "ProviderRegistry",
    "RemoteBatchStatus",
    "RunStatus",
    "StateManager",
    "export",
    "to_batch",
]
