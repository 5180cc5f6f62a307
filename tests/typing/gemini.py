"""Types that users of the Gemini strategies get; checked by mypy and pyright, never run."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_type

from pydantic import BaseModel

from batch_llm.llm_strategies.gemini.cached import GeminiCachedStrategy
from batch_llm.llm_strategies.gemini.response import GeminiResponse
from batch_llm.llm_strategies.gemini.strategy import GeminiStrategy

if TYPE_CHECKING:
    from google.genai import Client
    from google.genai.types import GenerateContentResponse


class Review(BaseModel):
    stars: int


def parse(response: GenerateContentResponse) -> Review:
    return Review.model_validate_json(response.text or "")


def check(client: Client) -> None:
    assert_type(GeminiStrategy("m", client), GeminiStrategy[str])
    assert_type(GeminiStrategy("m", client, parse), GeminiStrategy[Review])
    assert_type(
        GeminiStrategy("m", client, parse, include_metadata=True),
        GeminiStrategy[GeminiResponse[Review]],
    )
    plain: GeminiStrategy[Review] = GeminiStrategy("m", client, config={"response_schema": Review})
    assert_type(plain, GeminiStrategy[Review])
    assert_type(GeminiCachedStrategy("m", client, parse, ["x"]), GeminiCachedStrategy[Review])
    assert_type(
        GeminiCachedStrategy("m", client, parse, "x", include_metadata=True, cache_tags={"a": "b"}),
        GeminiCachedStrategy[GeminiResponse[Review]],
    )
