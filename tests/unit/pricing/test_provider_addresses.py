"""Whose API an address is."""

from __future__ import annotations

import pytest

from batch_llm.pricing import provider_at


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1/chat/completions", "openai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.mistral.ai/v1", "mistral"),
        ("https://openrouter.ai/api/v1", "openrouter"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", "gemini"),
        ("https://llm.example.com/v1", None),
        ("http://api.openai.com/v1", None),
        ("http://127.0.0.1:8000/v1", None),
        ("https://localhost/v1", None),
        ("https://[::1]:8000/v1", None),
    ],
)
def test_a_provider_is_known_by_its_address(url: str, provider: str | None) -> None:
    assert provider_at(url) == provider
