"""What the books say that a client was told of its bill, against what an SDK heard of it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import openai
import pytest
from tests.contract.simulator import anthropic_sdk, gemini_sdk, openai_sdk

from batch_llm.testing.simulator import Simulator, Usage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_llm.testing.simulator import CallRecord

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

PROMPT = "tell me a long story of the house by the sea " * 10
TOKENS = 4 + 113
BROKEN = ["reset_in_body", "truncated_json"]
NOTHING = Usage()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(seed=3, answers="echo") as simulator:
        yield simulator


def _only(simulator: Simulator) -> CallRecord:
    (record,) = simulator.books.records
    return record


def _stream_of_anthropic(simulator: Simulator) -> list[Any]:
    """Return the events that came, until the stream ended or broke."""
    events: list[Any] = []
    client = anthropic_sdk.client_of(simulator)
    try:
        with client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=1_000,
            messages=[{"role": "user", "content": PROMPT}],
            stream=True,
        ) as stream:
            events.extend(stream)
    except (anthropic.APIError, httpx2.HTTPError):
        pass
    finally:
        client.close()
    return events


@pytest.mark.parametrize("kind", BROKEN)
def test_a_stream_of_anthropic_that_breaks_has_told_the_input(
    simulator: Simulator, kind: str
) -> None:
    simulator.add_fault(kind)
    events = _stream_of_anthropic(simulator)
    record = _only(simulator)
    assert (record.fate, record.usage) == ("lost", Usage(TOKENS, 113))
    assert record.usage_told == Usage(TOKENS, 1)
    heard = events[0].message.usage
    assert (heard.input_tokens, heard.output_tokens) == (TOKENS, 1)
    assert "message_delta" not in {event.type for event in events}


def test_a_stream_of_anthropic_has_told_all_at_its_end(simulator: Simulator) -> None:
    events = _stream_of_anthropic(simulator)
    record = _only(simulator)
    assert record.usage_told == record.usage == Usage(TOKENS, 113)
    assert events[-2].usage.output_tokens == 113


@pytest.mark.parametrize("kind", ["dropped", "reset_before", "503", "error_in_200"])
def test_a_stream_that_never_began_has_told_nothing(simulator: Simulator, kind: str) -> None:
    simulator.add_fault(kind)
    _stream_of_anthropic(simulator)
    record = _only(simulator)
    assert (record.fate in ("lost", "failed"), record.usage_told) == (True, NOTHING)


def _pieces_of_gemini(simulator: Simulator) -> list[Any]:
    pieces: list[Any] = []
    with gemini_sdk.client_of(simulator) as client:
        with contextlib.suppress(httpx2.HTTPError):
            pieces.extend(
                client.models.generate_content_stream(model=gemini_sdk.MODEL, contents=PROMPT)
            )
    return pieces


@pytest.mark.parametrize("kind", BROKEN)
def test_a_stream_of_gemini_that_breaks_has_told_the_input(simulator: Simulator, kind: str) -> None:
    simulator.add_fault(kind)
    pieces = _pieces_of_gemini(simulator)
    record = _only(simulator)
    assert (record.fate, record.usage) == ("lost", Usage(TOKENS, 113))
    assert record.usage_told == Usage(TOKENS)
    assert pieces[-1].usage_metadata.prompt_token_count == TOKENS
    assert pieces[-1].usage_metadata.candidates_token_count is None


def test_a_stream_of_gemini_has_told_all_at_its_end(simulator: Simulator) -> None:
    pieces = _pieces_of_gemini(simulator)
    assert pieces[-1].usage_metadata.candidates_token_count == 113
    assert _only(simulator).usage_told == Usage(TOKENS, 113)


def _usage_of_openai(simulator: Simulator, options: dict[str, Any]) -> list[Any]:
    heard = []
    with openai_sdk.client_of(simulator) as client:
        try:
            with client.chat.completions.create(
                model="gpt-4.1-mini",
                messages=[{"role": "user", "content": PROMPT}],
                stream=True,
                **options,
            ) as stream:
                heard = [chunk.usage for chunk in stream if chunk.usage is not None]
        except (openai.APIError, httpx2.HTTPError):
            pass
    return heard


def test_a_stream_of_openai_tells_its_usage_to_who_asks(simulator: Simulator) -> None:
    (heard,) = _usage_of_openai(simulator, {"stream_options": {"include_usage": True}})
    record = _only(simulator)
    assert record.usage_told == record.usage
    assert (heard.prompt_tokens, heard.completion_tokens) == (
        record.usage.input_tokens,
        record.usage.output_tokens,
    )


def test_a_stream_of_openai_tells_its_usage_to_nobody_else(simulator: Simulator) -> None:
    assert _usage_of_openai(simulator, {}) == []
    record = _only(simulator)
    assert (record.fate, record.usage_told) == ("answered", NOTHING)
    assert record.usage.output_tokens > 0


@pytest.mark.parametrize("kind", BROKEN)
def test_a_stream_of_openai_that_breaks_has_told_nothing(simulator: Simulator, kind: str) -> None:
    simulator.add_fault(kind)
    assert _usage_of_openai(simulator, {"stream_options": {"include_usage": True}}) == []
    assert (_only(simulator).fate, _only(simulator).usage_told) == ("lost", NOTHING)


def test_an_answer_in_one_tells_all_or_nothing(simulator: Simulator) -> None:
    body = {"model": "gpt-4.1-mini", "messages": [{"role": "user", "content": PROMPT}]}
    address = f"{simulator.openai_base_url}/chat/completions"
    with httpx2.Client(headers={"Authorization": "Bearer any"}) as client:
        client.post(address, json=body)
        simulator.add_fault("truncated_json")
        client.post(address, json=body)
    whole, half = simulator.books.records
    assert whole.usage_told == whole.usage == half.usage
    assert (half.fate, half.usage_told) == ("lost", NOTHING)
    assert whole.to_dict()["usage_told"]["input_tokens"] == whole.usage.input_tokens
