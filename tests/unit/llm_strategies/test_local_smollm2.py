"""The real model: what only it can show."""

from __future__ import annotations

import asyncio
import datetime
import re
import socket
import subprocess
import sys
import threading
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

import pytest
from pydantic import BaseModel, Field

from batch_llm.base.request import LLMRequest
from batch_llm.base.schema import OutputSchema
from batch_llm.exceptions import ConfigurationError, InvalidRequestError
from batch_llm.llm_strategies import local_server
from batch_llm.llm_strategies.local import LocalModelStrategy
from batch_llm.llm_strategies.local_answer import StreamedAnswer
from batch_llm.llm_strategies.local_model import smollm2_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.local_model

QUESTION = "Is the sentiment of this movie review positive or negative?"


class Verdict(BaseModel):
    sentiment: Literal["positive", "negative"]


class Genre(str, Enum):
    DRAMA = "drama"
    COMEDY = "comedy"


class Actor(BaseModel):
    name: Annotated[str, Field(min_length=2, max_length=12)]
    age: Annotated[int, Field(ge=18, le=99)]


class Film(BaseModel):
    genre: Genre
    stars: Annotated[int, Field(ge=1, le=5)]
    score: Annotated[float, Field(gt=0, lt=1)]
    actors: Annotated[list[Actor], Field(min_length=2, max_length=2)]
    code: Annotated[str, Field(pattern=r"^[A-Z]{3}-\d{2}$")]
    seen: datetime.date
    note: Annotated[str, Field(max_length=10)] | None


@pytest.fixture(scope="module")
def strategy() -> Iterator[LocalModelStrategy[Any]]:
    strategy: LocalModelStrategy[Any] = LocalModelStrategy(
        parallel_slots=2, context_tokens=512, temperature=0
    )
    # No loop is left behind in it: it may serve the tests' loops, one after the other.
    asyncio.run(strategy.prepare())
    yield strategy
    asyncio.run(strategy.aclose())


def small() -> LocalModelStrategy[Any]:
    return LocalModelStrategy(parallel_slots=1, context_tokens=512, max_output_tokens=4)


async def test_it_tells_good_from_bad(strategy: LocalModelStrategy[Any]) -> None:
    reviews = {
        "A wonderful film, moving and funny.": "positive",
        "Dull, stupid and far too long.": "negative",
        "One of the best films of the year.": "positive",
        "The worst film I have ever seen.": "negative",
    }
    requests = [LLMRequest(f"{QUESTION}\n\n{text}", output_schema=Verdict) for text in reviews]
    answers = await asyncio.gather(*(strategy.execute(request, 1, 60) for request in requests))
    assert [output.sentiment for output, _ in answers] == list(reviews.values())
    for _, usage in answers:
        assert 40 < usage["input_tokens"] < 80
        assert 5 < usage["output_tokens"] < 15
        assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


async def test_answers_fit_a_nested_schema_however_wild_the_sampling(
    strategy: LocalModelStrategy[Any],
) -> None:
    for seed in (1, 2, 3):
        request = LLMRequest("Name a film.", output_schema=Film, temperature=1.5, seed=seed)
        film, _ = await strategy.execute(request, 1, 60)
        assert isinstance(film, Film)


@pytest.mark.parametrize(
    ("schema", "fits"),
    [
        ({"type": "array", "items": {"enum": ["a"]}, "maxItems": 2}, (["a"] * 2, ["a"], [])),
        ({"type": "integer", "minimum": 7, "maximum": 9, "multipleOf": 4}, (8,)),
        ({"oneOf": [{"const": "é"}, {"type": "null"}]}, ("é", None)),
        ({"$defs": {"n": {"enum": [1]}}, "$ref": "#/$defs/n"}, (1,)),
        # The engine does not know these words, and holds the answer to the rest.
        ({"type": "array", "items": {"const": 1}, "maxItems": 1, "uniqueItems": True}, ([], [1])),
        ({"enum": ["x"], "not": {"const": "y"}}, ("x",)),
        ({"type": "string", "format": "colour", "maxLength": 0}, ("",)),
    ],
)
async def test_what_the_grammar_holds(
    schema: dict[str, Any], fits: tuple[Any, ...], strategy: LocalModelStrategy[Any]
) -> None:
    output, _ = await strategy.execute(LLMRequest("Say anything.", output_schema=schema), 1, 60)
    assert output in fits


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(?=a)b"},
        {"type": "integer", "minimum": 5, "maximum": 3},
        {"$ref": "https://schemas.example/answer.json"},
    ],
)
async def test_a_schema_that_it_cannot_follow_is_refused(
    schema: dict[str, Any], strategy: LocalModelStrategy[Any]
) -> None:
    answer_schema = OutputSchema({"type": "string"})
    answer_schema.json_schema = schema
    request = LLMRequest("Say anything.", output_schema=answer_schema)
    with pytest.raises(InvalidRequestError, match="cannot be held to the output schema"):
        await strategy.execute(request, 1, 60)


async def test_a_prompt_beyond_the_context_is_refused(strategy: LocalModelStrategy[Any]) -> None:
    with pytest.raises(InvalidRequestError, match=r"has 10\d\d tokens; .* room for 512 a request"):
        await strategy.execute("word " * 1000, 1, 60)


async def test_a_cancelled_call_stops_the_real_model(monkeypatch: pytest.MonkeyPatch) -> None:
    set_parameters, add = local_server._engine_parameters, StreamedAnswer.add
    began = threading.Event()

    def with_metrics(xllamacpp: Any, settings: Any) -> Any:
        parameters: Any = set_parameters(xllamacpp, settings)
        parameters.endpoint_metrics = True
        return parameters

    def add_and_tell(answer: StreamedAnswer, data: bytes) -> None:
        add(answer, data)
        if len(answer._pieces) > 2:  # more than the one token that tries the grammar
            began.set()

    monkeypatch.setattr(local_server, "_engine_parameters", with_metrics)
    monkeypatch.setattr(StreamedAnswer, "add", add_and_tell)
    strategy = small()
    await strategy.prepare()
    schema = {"enum": ["1 2 3 4 5 6 7 8 9 " * 60]}
    request = LLMRequest("Count.", output_schema=schema, max_output_tokens=250)
    call = asyncio.create_task(strategy.execute(request, 1, 60))
    assert await asyncio.to_thread(began.wait, 60)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    # There is one slot: this call is answered only after the other has left it.
    await strategy.execute("Hello", 1, 60)
    assert strategy._server is not None
    engine: Any = strategy._server._engine
    (predicted,) = re.findall(r"llamacpp:tokens_predicted_total (\d+)", engine.handle_metrics())
    assert int(predicted) < 250
    await strategy.aclose()


async def test_closing_one_leaves_nothing_of_it_and_the_other_alone() -> None:
    one, other = small(), small()
    await one.prepare()
    await other.prepare()
    assert one._server is not None
    engine: Any = one._server._engine
    address = urlsplit(engine.listening_address)
    del engine
    with socket.create_connection((address.hostname, address.port)):
        pass
    await one.aclose()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address.hostname, address.port))
    assert (await other.execute("Hello", 1, 60))[0]
    await one.prepare()
    assert (await one.execute("Hello", 1, 60))[0]
    await one.aclose()
    await other.aclose()


async def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.gguf"
    with smollm2_file().open("rb") as whole:
        damaged.write_bytes(whole.read(1_000_000))
    with pytest.raises(ConfigurationError, match=r"cannot load .*damaged\.gguf"):
        await LocalModelStrategy(damaged).prepare()


def test_it_writes_nothing_to_the_terminal_even_where_it_is_not_closed() -> None:
    program = """
import asyncio
from batch_llm import LLMRequest, LocalModelStrategy

async def main():
    strategy = LocalModelStrategy(parallel_slots=1, context_tokens=256)
    await strategy.prepare()
    await strategy.execute(LLMRequest("Hi", output_schema={"enum": ["x"]}), 1, 60)
    impossible = {"type": "integer", "minimum": 2, "maximum": 1}
    for request in ("word " * 500, LLMRequest("Hi", output_schema=impossible)):
        try:
            await strategy.execute(request, 1, 60)
        except Exception as error:
            print(type(error).__name__)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("InvalidRequestError\n" * 2, "")
    assert done.returncode == 0
