"""What failures mean, one file a provider."""

from ..strategies.errors import DefaultErrorClassifier, ErrorClassifier, ErrorInfo
from .gemini import GeminiErrorClassifier

__all__ = [
    "DefaultErrorClassifier",
    "ErrorClassifier",
    "ErrorInfo",
    "GeminiErrorClassifier",
]
