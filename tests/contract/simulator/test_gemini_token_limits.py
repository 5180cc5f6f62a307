"""How long prompts and answers of Gemini's may be: what `models.get` tells is what holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google.genai import errors, types
from tests.contract.simulator.gemini_batches import create, ended, frozen, raw_inline
from tests.contract.simulator.gemini_sdk import MODEL, client_of

if TYPE_CHECKING:
    from batch_llm.testing.simulator import Simulator

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

INPUT_LIMIT = 1_048_576
LONGEST = "a" * 4 * (INPUT_LIMIT - 4)
"""Of four bytes a token, and four tokens for the turn."""


def ask(simulator: Simulator, contents: str, model: str = MODEL, **config: Any) -> int | None:
    """Return the tokens of the prompt."""
    with client_of(simulator) as client:
        answer = client.models.generate_content(
            model=model, contents=contents, config=types.GenerateContentConfig(**config)
        )
    assert answer.usage_metadata is not None
    return answer.usage_metadata.prompt_token_count


def refusal(simulator: Simulator, contents: str, model: str = MODEL, **config: Any) -> str:
    with pytest.raises(errors.ClientError) as raised:
        ask(simulator, contents, model, **config)
    assert (raised.value.code, raised.value.status) == (400, "INVALID_ARGUMENT")
    assert not simulator.books.records, "what is refused is no call of a model"
    return str(raised.value.message)


def too_long(tokens: int) -> str:
    return (
        f"The input token count ({tokens}) exceeds the maximum number of tokens allowed "
        f"({INPUT_LIMIT})."
    )


def too_much(tokens: int, limit: int) -> str:
    return (
        f"Unable to submit request because it has a maxOutputTokens value of {tokens} but the "
        f"supported range is from 1 (inclusive) to {limit + 1} (exclusive). Update the value and "
        f"try again."
    )


def test_a_prompt_longer_than_the_model_reads_is_refused(simulator: Simulator) -> None:
    assert refusal(simulator, LONGEST + "a") == too_long(INPUT_LIMIT + 1)
    assert ask(simulator, LONGEST, max_output_tokens=5) == INPUT_LIMIT


def test_a_stream_of_a_prompt_that_is_too_long_is_refused(simulator: Simulator) -> None:
    with (
        client_of(simulator) as client,
        pytest.raises(errors.ClientError, match="exceeds the maximum"),
    ):
        list(client.models.generate_content_stream(model=MODEL, contents=LONGEST + "a"))


def test_what_a_cache_brings_is_counted(simulator: Simulator) -> None:
    simulator.set_speed(1e-6)
    with client_of(simulator) as client:
        cache = client.caches.create(
            model=MODEL, config=types.CreateCachedContentConfig(contents="word " * 1_000)
        )
    cached = 4 + 1_250
    room = LONGEST[: -4 * cached]
    said = refusal(simulator, room + "a", cached_content=cache.name)
    assert said == too_long(INPUT_LIMIT + 1)
    assert ask(simulator, room, cached_content=cache.name, max_output_tokens=5) == INPUT_LIMIT


def test_a_cache_that_no_prompt_has_room_for_is_refused(simulator: Simulator) -> None:
    with client_of(simulator) as client, pytest.raises(errors.ClientError) as raised:
        client.caches.create(
            model=MODEL, config=types.CreateCachedContentConfig(contents=LONGEST + "a")
        )
    assert raised.value.message == too_long(INPUT_LIMIT + 1)


def test_a_prompt_that_is_too_long_can_be_counted(simulator: Simulator) -> None:
    with client_of(simulator) as client:
        counted = client.models.count_tokens(model=MODEL, contents=LONGEST + "a")
    assert counted.total_tokens == INPUT_LIMIT + 1


@pytest.mark.parametrize("model", [MODEL, "gemini-2.0-flash"])
def test_an_answer_longer_than_the_model_writes_is_refused(
    simulator: Simulator, model: str
) -> None:
    with client_of(simulator) as client:
        limit = client.models.get(model=model).output_token_limit
    assert limit == (65_536 if model == MODEL else 8_192)
    assert refusal(simulator, "hello", model, max_output_tokens=limit + 1) == too_much(
        limit + 1, limit
    )
    assert ask(simulator, "hello", model, max_output_tokens=limit) == 4 + 2


def test_a_line_of_a_batch_has_the_same_limits(simulator: Simulator) -> None:
    frozen(simulator)
    long, much, good = raw_inline("a", "b", "c")
    long["request"]["contents"][0]["parts"] = [
        {"text": "a"},
        # Of twenty megabytes at most an inline batch is; this is five.
        {"text": LONGEST},
    ]
    much["request"]["generationConfig"] = {"maxOutputTokens": 65_537}
    seen = ended(simulator, create(simulator, [long, much, good]).json()["name"], step=600)
    first, second, third = seen["response"]["inlinedResponses"]["inlinedResponses"]
    assert first["error"] == {"code": 3, "message": too_long(INPUT_LIMIT + 1)}
    assert second["error"] == {"code": 3, "message": too_much(65_537, 65_536)}
    assert "response" in third
