"""From names of models to Batch APIs."""

from __future__ import annotations

import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.providers.registry import Route, find_route


@pytest.mark.parametrize(
    ("model", "route"),
    [
        ("gpt-4", Route("openai", "gpt-4")),
        ("gpt-9-of-tomorrow", Route("openai", "gpt-9-of-tomorrow")),
        ("o4-mini", Route("openai", "o4-mini")),
        ("chatgpt-4o-latest", Route("openai", "chatgpt-4o-latest")),
        ("ft:gpt-4o-mini:me::1", Route("openai", "ft:gpt-4o-mini:me::1")),
        ("text-embedding-3-small", Route("openai", "text-embedding-3-small")),
        ("text-embedding-ada-002", Route("openai", "text-embedding-ada-002")),
        ("text-embedding-4-huge", Route("openai", "text-embedding-4-huge")),
        ("text-embedding-004", Route("gemini", "text-embedding-004")),
        ("text-embedding-005", Route("gemini", "text-embedding-005")),
        ("embedding-001", Route("gemini", "embedding-001")),
        ("claude-3-sonnet", Route("anthropic", "claude-3-sonnet")),
        ("gemini-2.5-flash", Route("gemini", "gemini-2.5-flash")),
        ("models/gemini-2.5-flash", Route("gemini", "gemini-2.5-flash")),
        ("gemma-3-27b-it", Route("gemini", "gemma-3-27b-it")),
        ("openai:llama-3", Route("openai", "llama-3")),
    ],
)
def test_a_name_tells_its_provider(model: str, route: Route) -> None:
    assert find_route(model) == route


@pytest.mark.parametrize("model", ["llama-3", "openai:", "mine:gpt-4", "ogpt-4", ""])
def test_of_another_name_it_is_said_which_there_are(model: str) -> None:
    with pytest.raises(ConfigurationError, match=r"openai:NAME"):
        find_route(model)


@pytest.mark.parametrize("model", ["gpt-4.1-nano ", " gpt-4.1-nano", "openai: llama", "gpt-4\n"])
def test_white_space_around_a_name_is_told_of(model: str) -> None:
    with pytest.raises(ConfigurationError, match="has white space around a name"):
        find_route(model)


def test_a_slash_in_the_place_of_the_colon_is_told_of() -> None:
    with pytest.raises(ConfigurationError, match="Write 'anthropic:claude-haiku-4-5'"):
        find_route("anthropic/claude-haiku-4-5")
    with pytest.raises(ConfigurationError, match="gpt-…, o3…"):
        find_route("llama/claude")
