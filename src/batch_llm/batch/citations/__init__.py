"""Citations of an answer, and which of its fields they support."""

from ...base.cited_value import CitedValue
from .anthropic import read_anthropic
from .cited_text import CitedText, all_citations
from .gemini import read_gemini
from .mapping import LEAST_CONFIDENCE, map_citations

__all__ = [
    "LEAST_CONFIDENCE",
    "CitedText",
    "CitedValue",
    "all_citations",
    "map_citations",
    "read_anthropic",
    "read_gemini",
]
