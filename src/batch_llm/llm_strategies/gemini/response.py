"""An answer of Gemini with what came beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from ...base.strategy import TOutput

if TYPE_CHECKING:
    from ...base.usage import TokenUsage


@dataclass(slots=True)
class GeminiResponse(Generic[TOutput]):
    """What a Gemini strategy with `include_metadata=True` returns.

    Attributes:
        output: what the response parser returned.
        safety_ratings: probability by harm category, in Google's words
            ("HARM_CATEGORY_HARASSMENT": "NEGLIGIBLE"); None where the answer has none.
        finish_reason: why the answer ended, in Google's word ("STOP"), or None.
        token_usage: tokens billed.
        raw_response: the SDK's `GenerateContentResponse`, or what stood in for it; None in a dry
            run.
    """

    output: TOutput
    safety_ratings: dict[str, str] | None
    finish_reason: str | None
    token_usage: TokenUsage
    raw_response: Any = field(repr=False)
