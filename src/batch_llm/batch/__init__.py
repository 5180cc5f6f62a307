"""The batch lane: jobs that a provider's Batch API answers within a day, at half the price."""

from ..base import Citation, CitedValue, Job, JobResult, ModelConfig
from ..exceptions import JobError, ProviderError
from .batch import Batch, to_batch
from .faces.built_in_providers import AnthropicProvider, GeminiProvider, OpenAIProvider
from .faces.client_provider import ClientProvider
from .faces.executor import ConcurrentExecutor
from .faces.mock_provider import MockProvider
from .jobs.job_settings import JobSettings
from .money.cost import CostStats, CostTracker
from .money.estimate import BatchEstimate, ModelEstimate
from .params import BatchConfig, BatchParams
from .results.export import EXPORT_FORMATS, ExportFormat, export
from .running.run import BatchRun
from .running.run_status import RemoteBatchStatus, RunStatus
from .seam.batch_request import BatchRequest
from .seam.provider import BatchStatus, Provider
from .seam.provider_registry import ProviderRegistry
from .state.state import BatchState, StateManager

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
    "ProviderError",
    "ProviderRegistry",
    "RemoteBatchStatus",
    "RunStatus",
    "StateManager",
    "export",
    "to_batch",
]
