"""Anthropic's Messages: where they are, and how a key and the API's version are sent."""

from __future__ import annotations

from typing import Final

from .endpoint import ProviderAPI

ANTHROPIC_MESSAGES: Final = ProviderAPI(
    provider="Anthropic",
    base_url="https://api.anthropic.com",
    path="/v1/messages",
    example="http://127.0.0.1:8000",
    base_url_variable="ANTHROPIC_BASE_URL",
    key_variable="ANTHROPIC_API_KEY",
    # Documented for every version of the API, and read by every gateway; a bearer token is new.
    key_header="x-api-key",
    key_prefix="",
    other_key_headers=("authorization",),
    # The later 2026-10-21 refuses temperature and top_p for all models, those included that know
    # them, and has nothing that is needed here.
    headers={"anthropic-version": "2023-06-01"},
)
