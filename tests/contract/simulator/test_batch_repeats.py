"""With one seed equal batches go alike, in whatever order they come."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from openai import InternalServerError, OpenAI
from tests.contract.simulator import anthropic_sdk, gemini_sdk, openai_batches
from tests.contract.simulator.gemini_batches import asking, ended, frozen

from batch_llm.testing.simulator import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from batch_llm.testing.simulator import Simulator

    Course = tuple[float, list[str]]

# google-genai subclasses aiohttp's session, which aiohttp warns of.
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")

NAMES = ["a", "b", "c", "d", "e", "f"]
KEYS = [f"r{number}" for number in range(8)]


def openai_client(simulator: Simulator) -> OpenAI:
    return OpenAI(base_url=simulator.openai_base_url, api_key="one", max_retries=0)


def openai_course(simulator: Simulator, name: str) -> Course:
    """Return how long a batch took, and whose results came, in their order."""
    lines = [
        openai_batches.line(number) | {"custom_id": f"{name}-{key}"}
        for number, key in enumerate(KEYS)
    ]
    with openai_client(simulator) as client:
        batch = openai_batches.submit(client, openai_batches.jsonl(lines))
        batch = openai_batches.driven_to(simulator, client, batch, "completed")
        done = openai_batches.results(client, batch.output_file_id)
    assert batch.completed_at is not None
    return batch.completed_at - batch.created_at, [line["custom_id"] for line in done]


def anthropic_course(simulator: Simulator, name: str) -> Course:
    lines: list[Any] = [
        {"custom_id": f"{name}-{key}", "params": anthropic_sdk.asks(key)} for key in KEYS
    ]
    with anthropic_sdk.client_of(simulator) as client:
        batch = client.messages.batches.create(requests=lines)
        while batch.ended_at is None:
            simulator.advance(20)
            batch = client.messages.batches.retrieve(batch.id)
        done = [line.custom_id for line in client.messages.batches.results(batch.id)]
    return round((batch.ended_at - batch.created_at).total_seconds(), 3), done


def gemini_inline_course(simulator: Simulator, name: str) -> Course:
    requests = [{"request": asking(key), "metadata": {"key": f"{name}-{key}"}} for key in KEYS]
    body = {"batch": {"displayName": "x", "inputConfig": {"requests": {"requests": requests}}}}
    path = f"/v1beta/models/{gemini_sdk.MODEL}:batchGenerateContent"
    made = gemini_sdk.raw(simulator, "POST", path, json=body).json()
    seen = ended(simulator, made["name"], step=20)
    done = seen["response"]["inlinedResponses"]["inlinedResponses"]
    return _seconds(simulator, made["name"]), [line["metadata"]["key"] for line in done]


def gemini_file_course(simulator: Simulator, name: str) -> Course:
    lines = [json.dumps({"key": f"{name}-{key}", "request": asking(key)}) for key in KEYS]
    with gemini_sdk.client_of(simulator) as client:
        file = client.files.upload(
            file=io.BytesIO("\n".join(lines).encode()), config={"mime_type": "application/jsonl"}
        )
        job = client.batches.create(model=gemini_sdk.MODEL, src=str(file.name))
        seen = ended(simulator, str(job.name), step=20)
        content = client.files.download(file=seen["response"]["responsesFile"])
    done = [json.loads(line)["key"] for line in content.splitlines()]
    return _seconds(simulator, str(job.name)), done


def _seconds(simulator: Simulator, name: str) -> float:
    with gemini_sdk.client_of(simulator) as client:
        job = client.batches.get(name=name)
    assert job.end_time is not None
    assert job.create_time is not None
    return round((job.end_time - job.create_time).total_seconds(), 3)


def courses(
    simulator: Simulator, course: Callable[[Simulator, str], Course], names: list[str]
) -> dict[str, Course]:
    simulator.reset()
    frozen(simulator)
    simulator.add_fault(Fault.model_validate({"kind": "batch_missing_lines", "rate": 0.5}))
    simulator.add_fault(Fault.model_validate({"kind": "batch_shuffled", "rate": 0.5}))
    return {name: course(simulator, name) for name in names}


@pytest.mark.parametrize(
    "course",
    [openai_course, anthropic_course, gemini_inline_course, gemini_file_course],
)
def test_a_batch_goes_the_same_way_in_whatever_order_it_comes(
    simulator: Simulator, course: Callable[[Simulator, str], Course]
) -> None:
    first = courses(simulator, course, NAMES)
    second = courses(simulator, course, NAMES[::-1])
    assert {name: done for name, (_, done) in first.items()} == {
        name: done for name, (_, done) in second.items()
    }
    seconds = {name: seconds for name, (seconds, _) in first.items()}
    # OpenAI tells moments in whole seconds.
    assert {name: seconds for name, (seconds, _) in second.items()} == pytest.approx(seconds, abs=1)
    assert len(set(seconds.values())) == len(NAMES), "each has its own way"
    ways = {tuple(key[2:] for key in done) for _, done in first.values()}
    assert tuple(KEYS) in ways, "some come as they were sent"
    assert len(ways) > 1, "others meet a fault"


@pytest.mark.parametrize(
    "course",
    [openai_course, anthropic_course, gemini_inline_course, gemini_file_course],
)
def test_a_second_equal_batch_goes_a_way_of_its_own(
    simulator: Simulator, course: Callable[[Simulator, str], Course]
) -> None:
    frozen(simulator)
    first, second = course(simulator, "a"), course(simulator, "a")
    assert first[0] != second[0]
    assert first[1] == second[1]


def test_an_upload_fails_the_same_way_in_whatever_order_it_comes(simulator: Simulator) -> None:
    """The SDK draws a new boundary for each form."""

    def failed(numbers: list[int]) -> set[int]:
        simulator.reset()
        simulator.add_fault(
            Fault.model_validate({"kind": "status", "rate": 0.5, "operation": "files.create"})
        )
        failing = set()
        with openai_client(simulator) as client:
            for number in numbers:
                line = openai_batches.jsonl([openai_batches.line(number)])
                try:
                    client.files.create(file=("in.jsonl", line), purpose="batch")
                except InternalServerError:
                    failing.add(number)
        return failing

    numbers = list(range(30))
    first = failed(numbers)
    assert 0 < len(first) < 30
    assert failed(numbers[::-1]) == first
