"""OpenAI, Anthropic and Gemini on this machine: limits, faults, batches, and true books.

    with Simulator() as simulator:
        client = OpenAI(base_url=simulator.openai_base_url, api_key="any")

It needs the extra `simulator`; `batch-llm simulate` runs it by itself.
"""

from .answers import (
    Answers,
    AutoAnswers,
    EchoAnswers,
    FunctionAnswers,
    LocalAnswers,
    RecordedAnswers,
    SchemaAnswers,
    TableAnswers,
)
from .books import Books, CallRecord
from .call import Answer, ModelCall, Usage
from .faults import Fault, FaultKind, fault_from_text, mixed_faults
from .latency import Latency
from .limits import Capacity, Limit, Slope
from .settings import BatchTimes, SimulatorSettings
from .simulator import Simulator

__all__ = [
    "Answer",
    "Answers",
    "AutoAnswers",
    "BatchTimes",
    "Books",
    "CallRecord",
    "Capacity",
    "EchoAnswers",
    "Fault",
    "FaultKind",
    "FunctionAnswers",
    "Latency",
    "Limit",
    "LocalAnswers",
    "ModelCall",
    "RecordedAnswers",
    "SchemaAnswers",
    "Simulator",
    "SimulatorSettings",
    "Slope",
    "TableAnswers",
    "Usage",
    "fault_from_text",
    "mixed_faults",
]
