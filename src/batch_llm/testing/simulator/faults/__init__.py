"""What can go wrong, when it does, and to whom."""

from .fault import BEFORE, OF_ANSWER, OF_BATCH, OF_TRANSPORT, Fault, FaultKind
from .plan import FAULT_HEADER, FaultPlan, fault_in, faults_of

__all__ = [
    "BEFORE",
    "FAULT_HEADER",
    "OF_ANSWER",
    "OF_BATCH",
    "OF_TRANSPORT",
    "Fault",
    "FaultKind",
    "FaultPlan",
    "fault_in",
    "faults_of",
]
