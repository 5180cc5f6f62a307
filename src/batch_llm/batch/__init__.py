"""The batch lane: jobs that a provider's Batch API answers within a day, at half the price."""

from ..base import Citation, Job, JobResult, ModelConfig
from ..exceptions import JobError
from .batch import Batch, JobSettings
from .cost import CostStats, CostTracker
from .export import EXPORT_FORMATS, ExportFormat, export
from .params import BatchConfig, BatchParams

__all__ = [
    "EXPORT_FORMATS",
    "Batch",
    "BatchConfig",
    "BatchParams",
    "Citation",
    "CostStats",
    "CostTracker",
    "ExportFormat",
    "Job",
    "JobError",
    "JobResult",
    "JobSettings",
    "ModelConfig",
    "export",
]
