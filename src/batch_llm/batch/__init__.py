"""The batch lane: jobs that a provider's Batch API answers within a day, at half the price."""

from ..base import Citation, CitedValue, Job, JobResult, ModelConfig
from ..exceptions import JobError
from .batch import Batch, JobSettings
from .cost import CostStats, CostTracker
from .estimate import BatchEstimate, ModelEstimate
from .export import EXPORT_FORMATS, ExportFormat, export
from .params import BatchConfig, BatchParams
from .run import BatchRun
from .run_status import RemoteBatchStatus, RunStatus

__all__ = [
    "EXPORT_FORMATS",
    "Batch",
    "BatchConfig",
    "BatchEstimate",
    "BatchParams",
    "BatchRun",
    "Citation",
    "CitedValue",
    "CostStats",
    "CostTracker",
    "ExportFormat",
    "Job",
    "JobError",
    "JobResult",
    "JobSettings",
    "ModelConfig",
    "ModelEstimate",
    "RemoteBatchStatus",
    "RunStatus",
    "export",
]
