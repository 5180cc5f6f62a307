"""One contract for all strategies that show a model what did not fit in its answer."""

from __future__ import annotations

import json
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, field_validator
from tests.fake_llama import FakeEngine, chunks, install

from batch_llm import (
    AnthropicStrategy,
    GeminiStrategy,
    LLMRequest,
    LLMWorkItem,
    LocalModelStrategy,
    OpenAICompatibleStrategy,
    OutputTruncatedError,
    OutputValidationError,
    ParallelBatchProcessor,
    PydanticAIModelStrategy,
    RetryState,
    ServerError,
)
from batch_llm.base.repair import LONGEST_ANSWER_BYTES, repair_bytes
from batch_llm.base.request import RequestDefaults
from batch_llm.base.retry_state import REPAIR
from batch_llm.llm_strategies.gemini.request import GeminiRequestStrategy
from batch_llm.testing.simulator import Simulator
from batch_llm.testing.simulator.call import Answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from batch_llm.testing.simulator.call import ModelCall

# google-genai's own, on its way to aiohttp.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

PROMPT = "What colour has the sky?"
WRONG = '{"name":"blurple","red":900}'


class Colour(BaseModel):
    name: str
    red: int

    @field_validator("red")
    @classmethod
    def _is_in_range(cls, value: int) -> int:
        if value > 255:
            raise ValueError(f"{value} is beyond 255")
        return value


RIGHT = Colour(name="blue", red=0)


class Model:
    """Is wrong until it is shown its answer and what was wrong with it.

    Attributes:
        seen: the turns of each call, as (role, text).
        answers: what it says in place of that, call by call, while there are any.
    """

    def __init__(self) -> None:
        self.seen: list[list[tuple[str, str]]] = []
        self.answers: list[Any] = []

    def __call__(self, call: ModelCall) -> object:
        turns = [(role, text) for role, text in call.messages]
        self.seen.append(turns)
        if self.answers:
            return self.answers.pop(0)
        is_shown = len(turns) == 3 and turns[1][1] == WRONG and "900 is beyond 255" in turns[2][1]
        return RIGHT.model_dump_json() if is_shown else WRONG


def openai(simulator: Simulator, **options: Any) -> Any:
    return OpenAICompatibleStrategy(
        "gpt-4.1-mini", base_url=simulator.openai_base_url, api_key="k", **options
    )


def anthropic(simulator: Simulator, **options: Any) -> Any:
    return AnthropicStrategy(
        "claude-haiku-4-5", base_url=simulator.anthropic_base_url, api_key="k", **options
    )


def pydantic_ai(simulator: Simulator, **options: Any) -> Any:
    return PydanticAIModelStrategy(
        "openai-chat:gpt-4.1-mini",
        base_url=simulator.openai_base_url,
        api_key="k",
        **options,
    )


def gemini_client(simulator: Simulator) -> Any:
    from google import genai
    from google.genai.types import HttpOptions, HttpRetryOptions

    options = HttpOptions(
        base_url=simulator.gemini_base_url, retry_options=HttpRetryOptions(attempts=1)
    )
    return genai.Client(api_key="k", http_options=options)


def gemini(simulator: Simulator, **options: Any) -> Any:
    repair = options.pop("repair", True)
    schema = options.pop("output_schema")
    config = {"response_mime_type": "application/json", "response_schema": schema, **options}
    return GeminiStrategy(
        "gemini-2.5-flash", gemini_client(simulator), config=config, repair=repair
    )


def gemini_request(simulator: Simulator, **options: Any) -> Any:
    repair = options.pop("repair", True)
    return GeminiRequestStrategy(
        "gemini-2.5-flash", gemini_client(simulator), RequestDefaults(**options), repair=repair
    )


MAKERS = [openai, anthropic, pydantic_ai, gemini, gemini_request]
Opened = Any


@pytest.fixture
def model() -> Model:
    return Model()


@pytest.fixture(params=MAKERS, ids=lambda make: make.__name__)
def opened(request: pytest.FixtureRequest, model: Model) -> Opened:
    """Opens a strategy of each kind, at a simulator that the model answers for."""
    make: Callable[..., Any] = request.param

    @asynccontextmanager
    async def open_(**options: Any) -> AsyncIterator[Any]:
        with Simulator(answers=model) as simulator:
            strategy = make(simulator, **{"output_schema": Colour, **options})
            await strategy.prepare()
            yield strategy
            await strategy.aclose()
            client = getattr(strategy, "client", None)
            if client is not None:
                await client.aio.aclose()
                client.close()

    return open_


async def misfit(strategy: Any, state: RetryState, prompt: Any = PROMPT) -> OutputValidationError:
    with pytest.raises(OutputValidationError) as raised:
        await strategy.execute(prompt, 1, 30, state)
    return raised.value


async def test_the_next_attempt_shows_the_answer_and_what_was_wrong(
    opened: Opened, model: Model
) -> None:
    state = RetryState()
    async with opened() as strategy:
        await misfit(strategy, state)
        assert repair_bytes(state) > len(WRONG)
        output, _ = await strategy.execute(PROMPT, 2, 30, state)
    assert output == RIGHT
    assert [len(turns) for turns in model.seen] == [1, 3]
    assert model.seen[1][0][1] == PROMPT
    assert REPAIR not in state
    assert repair_bytes(state) == 0


async def test_a_processor_mends_it(opened: Opened, model: Model) -> None:
    async with (
        opened() as strategy,
        ParallelBatchProcessor[str, Colour, None](max_workers=1) as processor,
    ):
        await processor.add_work(LLMWorkItem("sky", strategy, PROMPT))
        batch = await processor.process_all()
    (result,) = batch.results
    assert (result.output, result.attempts) == (RIGHT, 2)


async def test_a_whole_request_is_repaired_too(opened: Opened, model: Model) -> None:
    state, request = RetryState(), LLMRequest(PROMPT, temperature=0)
    async with opened() as strategy:
        await misfit(strategy, state, request)
        assert (await strategy.execute(request, 2, 30, state))[0] == RIGHT
    assert len(request.messages) == 1


async def test_no_error_and_no_log_quotes_the_answer(
    opened: Opened, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    state = RetryState()
    with caplog.at_level(logging.DEBUG):
        async with opened() as strategy:
            error = await misfit(strategy, state)
    said = f"{error!r} {error.__dict__} {error.__cause__!r} {state!r} {state.data!r} "
    said += " ".join(r.getMessage() for r in caplog.records if r.name.startswith("batch_llm"))
    assert "blurple" not in said
    assert "900" not in said


async def test_it_can_be_turned_off(opened: Opened, model: Model) -> None:
    state = RetryState()
    async with opened(repair=False) as strategy:
        await misfit(strategy, state)
        assert REPAIR not in state
        await misfit(strategy, state)
    assert [len(turns) for turns in model.seen] == [1, 1]


async def test_the_last_misfit_alone_is_shown(opened: Opened, model: Model) -> None:
    model.answers = ["[1]", WRONG]
    state = RetryState()
    async with opened() as strategy:
        await misfit(strategy, state)
        await misfit(strategy, state)
        assert (await strategy.execute(PROMPT, 3, 30, state))[0] == RIGHT
    assert model.seen[1][1][1] == "[1]"
    assert [len(turns) for turns in model.seen] == [1, 3, 3]


async def test_another_kind_of_answer_ends_it(opened: Opened, model: Model) -> None:
    model.answers = [WRONG, Answer('{"na', "length")]
    state = RetryState()
    async with opened() as strategy:
        await misfit(strategy, state)
        with pytest.raises(OutputTruncatedError):
            await strategy.execute(PROMPT, 2, 30, state)
        assert REPAIR not in state


async def test_a_failure_without_an_answer_leaves_it(opened: Opened, model: Model) -> None:
    model.answers = [WRONG, None]  # of which the server makes a 500
    state = RetryState()
    async with opened() as strategy:
        await misfit(strategy, state)
        with pytest.raises(ServerError):
            await strategy.execute(PROMPT, 2, 30, state)
        assert (await strategy.execute(PROMPT, 2, 30, state))[0] == RIGHT


async def test_an_answer_that_is_too_long_is_not_shown(opened: Opened, model: Model) -> None:
    model.answers = [json.dumps({"name": "x" * LONGEST_ANSWER_BYTES, "red": 900})]
    state = RetryState()
    async with opened() as strategy:
        await misfit(strategy, state)
        assert REPAIR not in state


async def test_a_repair_that_is_refused_lets_the_item_be_asked_anew(
    opened: Opened, model: Model
) -> None:
    state = RetryState()
    async with opened() as strategy:
        await misfit(strategy, state)
        with _refusing_long_conversations(strategy):
            error = await misfit(strategy, state)
        assert "asks anew" in str(error)
        assert REPAIR not in state


def _refusing_long_conversations(strategy: Any) -> Any:
    """Have the provider refuse the next request, by a name of the model that it does not know."""
    patch = pytest.MonkeyPatch()
    if isinstance(strategy, PydanticAIModelStrategy):
        patch.setattr(strategy._model, "_model_name", "no such model")
    else:
        patch.setattr(strategy, "model", "no such model")
    return _Undone(patch)


class _Undone:
    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._patch.undo()


async def test_the_parser_of_a_gemini_strategy_may_ask_for_it(model: Model) -> None:
    def parse(response: Any) -> str:
        if "blurple" in response.text:
            raise OutputValidationError("That is no colour: 900 is beyond 255.")
        return str(response.text)

    state = RetryState()
    with Simulator(answers=model) as simulator:
        client = gemini_client(simulator)
        strategy = GeminiStrategy("gemini-2.5-flash", client, parse)
        await misfit(strategy, state)
        output, _ = await strategy.execute(PROMPT, 2, 30, state)
        await client.aio.aclose()
        client.close()
    assert output == RIGHT.model_dump_json()


async def test_the_local_model_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(body: dict[str, Any]) -> Any:
        is_shown = len(body["messages"]) == 3 and "900 is beyond" in body["messages"][2]["content"]
        return chunks(RIGHT.model_dump_json() if is_shown else WRONG)

    install(monkeypatch, FakeEngine(reply))
    weights = tmp_path / "model.gguf"
    weights.write_bytes(b"GGUF")
    strategy = LocalModelStrategy(weights, output_schema=Colour)
    state = RetryState()
    await strategy.prepare()
    await misfit(strategy, state)
    output, _ = await strategy.execute(PROMPT, 2, 30, state)
    await strategy.aclose()
    assert output == RIGHT
