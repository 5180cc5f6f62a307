"""What can go wrong, when it does, and to whom."""

from .fault import BEFORE, OF_ANSWER, OF_BATCH, OF_TRANSPORT, Fault, FaultKind
from .plan import FAULT_HEADER, FaultPlan, fault_in
from .text import fault_from_text, mixed_faults

__all__ = [
    "BEFORE",
    "FAULT_HEADER",
    "OF_ANSWER",
    "OF_BATCH",
    "OF_TRANSPORT",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "fault_from_text",
    "fault_in",
    "mixed_faults",
]
