from __future__ import annotations

import pytest

from batch_llm.exceptions import (
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    MissingKeyError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    ServerError,
)
from batch_llm.providers import AnthropicBatchClient, GeminiBatchClient, OpenAIBatchClient
from batch_llm.providers.connection import submission_error


@pytest.mark.parametrize(
    ("error", "acceptance"),
    [
        (InvalidRequestError("bad", status_code=400), "refused"),
        (RateLimitedError("slow", status_code=429), "refused"),
        (ServerError("overloaded", status_code=529), "refused"),
        (ServerError("gateway", status_code=502), "unknown"),
        (ProviderTimeoutError("late", status_code=408), "unknown"),
        (ProviderError("conflict", status_code=409), "unknown"),
        (ProviderTimeoutError("no answer"), "unknown"),
        (ConnectionFailedError("broke"), "unknown"),
        (ConnectionFailedError("refused", was_sent=False), "refused"),
        (MalformedAnswerError("cut"), "accepted"),
    ],
)
def test_whether_a_batch_was_taken_all_the_same(error: ProviderError, acceptance: str) -> None:
    told = submission_error(error)
    assert told.acceptance == acceptance
    assert (told.__cause__, told.status_code) == (error, error.status_code)


@pytest.mark.parametrize("kind", [OpenAIBatchClient, AnthropicBatchClient, GeminiBatchClient])
def test_keys_come_from_the_environment_of_the_provider_alone(
    kind: type[OpenAIBatchClient | AnthropicBatchClient | GeminiBatchClient],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY")
    for name in (*names, "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL", "GOOGLE_GEMINI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(MissingKeyError):
        kind()
    for name in names:
        monkeypatch.setenv(name, "secret")
    headers = [kind()._connection.endpoint.headers.values()]
    assert any("secret" in value for value in headers[0])
    elsewhere = kind(base_url="http://127.0.0.1:1/v1")
    assert not any("secret" in value for value in elsewhere._connection.endpoint.headers.values())


def test_googles_other_variable_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOOGLE_GEMINI_BASE_URL", raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", "second")
    monkeypatch.setenv("GOOGLE_API_KEY", "first")
    assert GeminiBatchClient()._connection.endpoint.headers["x-goog-api-key"] == "first"


def test_results_are_asked_for_only_where_the_key_belongs() -> None:
    client = AnthropicBatchClient(base_url="https://gateway.example/a", api_key="k")
    own = "https://gateway.example/a/v1/messages/batches/b/results"
    assert client._results_at("https://gateway.example/x?y", "b") == "https://gateway.example/x?y"
    assert client._results_at("https://api.anthropic.com/v1/results", "b") == own
