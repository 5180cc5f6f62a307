"""Models that are not there, where only those of the providers' lists are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2
import pytest

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

STYLED = {
    "openai": "gpt-5-misspelt",
    "anthropic": "claude-misspelt-5",
    "gemini": "gemini-2.5-flesh",
}
LISTED = {
    "openai": ["gpt-5-mini", "gpt-4.1-mini", "ft:gpt-4.1-mini:me::1"],
    "anthropic": ["claude-haiku-4-5", "claude-haiku-4-5-20251001", "claude-opus-4-6"],
    "gemini": ["gemini-2.5-flash", "gemini-2.5-pro"],
}


@pytest.fixture(scope="module")
def strict() -> Iterator[Simulator]:
    with Simulator(strict_models=True, models=("mine",)) as simulator:
        yield simulator


def _ask(simulator: Simulator, provider: str, model: str) -> httpx2.Response:
    talk = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    contents = {"contents": [{"parts": [{"text": "hello"}]}]}
    path, body = {
        "openai": ("/openai/v1/chat/completions", talk),
        "anthropic": ("/anthropic/v1/messages", {**talk, "max_tokens": 10}),
        "gemini": (f"/gemini/v1beta/models/{model}:generateContent", contents),
    }[provider]
    headers = {"Authorization": "Bearer k", "x-api-key": "k", "anthropic-version": "2023-06-01"}
    sent = {"x-goog-api-key": "k"} if provider == "gemini" else headers
    with httpx2.Client() as client:
        return client.post(simulator.base_url + path, json=body, headers=sent)


@pytest.mark.parametrize("provider", list(LISTED))
def test_only_what_is_listed_or_named_is_there(strict: Simulator, provider: str) -> None:
    assert _ask(strict, provider, STYLED[provider]).status_code == 404
    for model in (*LISTED[provider], "mine"):
        assert _ask(strict, provider, model).status_code == 200, model


@pytest.mark.parametrize("provider", list(LISTED))
def test_by_default_a_name_of_the_style_is_enough(simulator: Simulator, provider: str) -> None:
    assert _ask(simulator, provider, STYLED[provider]).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/openai/v1/models/gpt-5-misspelt",
        "/anthropic/v1/models/claude-misspelt-5",
        "/gemini/v1beta/models/gemini-2.5-flesh",
    ],
)
def test_what_is_not_there_cannot_be_looked_up(strict: Simulator, path: str) -> None:
    keys = {"gemini": {"x-goog-api-key": "k"}, "anthropic": {"x-api-key": "k"}}
    headers = keys.get(path.split("/")[1], {"Authorization": "Bearer k"})
    headers = {**headers, "anthropic-version": "2023-06-01"}
    with httpx2.Client() as client:
        assert client.get(strict.base_url + path, headers=headers).status_code == 404
