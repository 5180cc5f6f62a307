"""Answers within a whole simulator: what the settings name, what a user hands in, who closes it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from batch_llm.exceptions import ConfigurationError
from batch_llm.testing.simulator import Simulator, SimulatorSettings
from batch_llm.testing.simulator.answers import AutoAnswers, EchoAnswers
from batch_llm.testing.simulator.call import Answer, ModelCall
from batch_llm.testing.simulator.world import World

if TYPE_CHECKING:
    from pathlib import Path


class Closing:
    """A source that holds something open."""

    def __init__(self) -> None:
        self.closed = 0

    async def answer(self, call: ModelCall) -> Answer:
        return Answer("open")

    async def aclose(self) -> None:
        self.closed += 1


def ask(simulator: Simulator, prompt: str, **more: Any) -> Any:
    """Return the first choice's text, or the status of an error."""
    response = httpx2.post(
        f"{simulator.openai_base_url}/chat/completions",
        headers={"Authorization": "Bearer any"},
        json={"model": "gpt-5", "messages": [{"role": "user", "content": prompt}], **more},
    )
    if response.status_code != 200:
        return response.status_code
    return response.json()["choices"][0]["message"]["content"]


def test_the_settings_name_the_source() -> None:
    assert isinstance(World(SimulatorSettings()).answers, AutoAnswers)
    assert isinstance(World(SimulatorSettings(answers="echo")).answers, EchoAnswers)


def test_what_is_handed_in_goes_before_the_settings() -> None:
    source = Closing()
    assert World(SimulatorSettings(answers="echo"), source).answers is source


async def test_a_world_closes_its_source() -> None:
    source = Closing()
    await World(SimulatorSettings(), source).aclose()
    assert source.closed == 1
    await World(SimulatorSettings(answers="echo")).aclose()


def test_the_seed_of_the_settings_makes_the_values() -> None:
    def made(seed: int) -> list[Answer]:
        answers = World(SimulatorSettings(seed=seed)).answers
        schema = {"type": "array", "items": {"type": "integer"}, "minItems": 5}
        call = ModelCall("openai", "chat.completions", "gpt-5", "key", [], schema=schema)
        return [asyncio.run(answers.answer(call))]

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_a_simulator_takes_a_function() -> None:
    with Simulator(answers=lambda call: {"you": call.prompt}) as simulator:
        assert json.loads(ask(simulator, "hello")) == {"you": "hello"}


def test_a_simulator_takes_a_table_or_a_file_of_one(tmp_path: Path) -> None:
    file = tmp_path / "table.json"
    file.write_text('{"hello": "hi"}', encoding="utf-8")
    for answers in ({"hello": "hi"}, file, f"table:{file}"):
        with Simulator(answers=answers) as simulator:
            assert [ask(simulator, "hello"), ask(simulator, "bye")] == ["hi", "bye"]


def test_a_source_may_count_its_own_tokens() -> None:
    words = Answer("sixty-four bytes " * 5, output_tokens=16)  # by the rule, 22 tokens
    with Simulator(answers=lambda _: words) as simulator:
        assert ask(simulator, "hello", max_completion_tokens=16) == words.text
        assert ask(simulator, "again", max_completion_tokens=4) == words.text[:16]
        assert simulator.books.totals().output_tokens == 20


def test_a_function_that_fails_is_the_providers_error() -> None:
    def fail(_: ModelCall) -> str:
        raise ValueError("no idea")

    with Simulator(answers=fail) as simulator:
        assert ask(simulator, "hello") == 500


def test_a_source_is_closed_with_the_simulator() -> None:
    source = Closing()
    with Simulator(answers=source) as simulator:
        assert ask(simulator, "hello") == "open"
        assert source.closed == 0
    assert source.closed == 1


def test_a_source_that_cannot_be_read_stops_the_start() -> None:
    simulator = Simulator(answers="recorded:nowhere.jsonl")
    with pytest.raises(ConfigurationError, match=r"nowhere\.jsonl' cannot be read"):
        simulator.start()
