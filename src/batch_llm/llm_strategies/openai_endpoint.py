"""OpenAI's Chat Completions: where they are, and how a key is sent."""

from __future__ import annotations

from typing import Final

from .endpoint import ProviderAPI

OPENAI_CHAT: Final = ProviderAPI(
    provider="OpenAI",
    base_url="https://api.openai.com/v1",
    path="/chat/completions",
    example="http://127.0.0.1:8000/v1",
    base_url_variable="OPENAI_BASE_URL",
    key_variable="OPENAI_API_KEY",
    key_header="Authorization",
    key_prefix="Bearer ",
)
