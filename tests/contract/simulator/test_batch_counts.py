"""How many lines of a batch ended how, as it is told while they run, and at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
from tests.contract.simulator.anthropic_sdk import asks
from tests.contract.simulator.anthropic_sdk import client_of as anthropic_client_of
from tests.contract.simulator.gemini_batches import create, operation, raw_inline
from tests.contract.simulator.openai_batches import submit
from tests.contract.simulator.openai_sdk import client_of as openai_client_of

from batch_llm.testing.simulator import BatchTimes, Fault, FaultKind, Latency

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from anthropic import Anthropic
    from anthropic.types.messages import MessageBatch

    from batch_llm.testing.simulator import Simulator

LINES: Final = 4
# One line runs every 100 s, from 110 s on.
TIMES: Final = BatchTimes(
    validating_seconds=10,
    running=Latency(seconds=100.0 * LINES),
    finalizing_seconds=50,
    cancelling_seconds=60,
    slices=LINES,
)
_MOST_LOOKS: Final = 5_000


@pytest.fixture
def slow(simulator: Simulator) -> Simulator:
    """A simulator whose time stands still, and whose batches run a line every 100 s."""
    simulator.set_speed(1e-6)
    simulator.set_batch_times(TIMES)
    return simulator


def ran(simulator: Simulator, count: int) -> None:
    """Wait until so many lines were executed, which time that has passed allows."""
    for _ in range(_MOST_LOOKS):
        if len(simulator.books.records) >= count:
            break
        simulator.advance(0)
    assert len(simulator.books.records) == count


def steps(simulator: Simulator) -> Iterator[int]:
    """Let the lines run one by one; give how many were executed, from none to all."""
    yield 0
    simulator.advance(TIMES.validating_seconds)
    for count in range(1, LINES + 1):
        simulator.advance(100)
        ran(simulator, count)
        yield count


def until(look: Callable[[], Any], is_it: Callable[[Any], bool]) -> Any:
    """Look again and again; time has passed already."""
    seen = None
    for _ in range(_MOST_LOOKS):
        seen = look()
        if is_it(seen):
            return seen
    raise AssertionError(f"it never came; last seen: {seen}")


# --- Anthropic: "requests start as processing and move to one of the other statuses only once
# processing of the entire batch ends", says the SDK's MessageBatch ------------------------------


def anthropic_counts(client: Anthropic, name: str) -> dict[str, int]:
    return client.messages.batches.retrieve(name).request_counts.model_dump()


def anthropic_table(**counts: int) -> dict[str, int]:
    kinds = ("processing", "succeeded", "errored", "canceled", "expired")
    return {kind: counts.get(kind, 0) for kind in kinds}


PROCESSING: Final = anthropic_table(processing=LINES)


def anthropic_submit(client: Anthropic, bad: int = 0) -> str:
    """Make a batch, of whose lines the first ones are `bad`."""
    lines: list[Any] = [
        {"custom_id": f"line-{number}", "params": asks(max_tokens=-1 if number < bad else 100)}
        for number in range(LINES)
    ]
    batch = client.messages.batches.create(requests=lines)
    assert batch.request_counts.model_dump() == PROCESSING
    return batch.id


def anthropic_end(client: Anthropic, name: str) -> MessageBatch:
    batch: MessageBatch = until(
        lambda: client.messages.batches.retrieve(name),
        lambda batch: batch.processing_status == "ended",
    )
    return batch


def test_all_lines_of_anthropic_are_processing_until_the_batch_ends(slow: Simulator) -> None:
    with anthropic_client_of(slow) as client:
        name = anthropic_submit(client)
        for count in steps(slow):
            assert anthropic_counts(client, name) == PROCESSING, f"{count} lines were executed"
            (listed,) = client.messages.batches.list().data
            assert listed.request_counts.model_dump() == PROCESSING
        slow.advance(TIMES.finalizing_seconds - 1)
        assert anthropic_counts(client, name) == PROCESSING, "its results are being written"
        slow.advance(1)
        batch = anthropic_end(client, name)
        assert batch.request_counts.model_dump() == anthropic_table(succeeded=LINES)
        (listed,) = client.messages.batches.list().data
        assert listed == batch


def test_failed_lines_of_anthropic_are_processing_until_the_batch_ends(slow: Simulator) -> None:
    with anthropic_client_of(slow) as client:
        name = anthropic_submit(client, bad=LINES - 1)
        slow.advance(TIMES.validating_seconds + 100 * LINES)
        ran(slow, 1)  # the last line: the others are no calls of a model
        assert anthropic_counts(client, name) == PROCESSING
        slow.advance(TIMES.finalizing_seconds)
        batch = anthropic_end(client, name)
    assert batch.request_counts.model_dump() == anthropic_table(errored=LINES - 1, succeeded=1)


def test_lines_of_anthropic_are_processing_until_a_cancellation_is_done(slow: Simulator) -> None:
    with anthropic_client_of(slow) as client:
        name = anthropic_submit(client)
        slow.advance(TIMES.validating_seconds + 200)
        ran(slow, 2)
        canceled = client.messages.batches.cancel(name)
        assert canceled.processing_status == "canceling"
        assert canceled.request_counts.model_dump() == PROCESSING
        slow.advance(TIMES.cancelling_seconds - 1)
        assert anthropic_counts(client, name) == PROCESSING
        slow.advance(1)
        batch = anthropic_end(client, name)
    assert batch.request_counts.model_dump() == anthropic_table(succeeded=2, canceled=2)


def test_lines_of_anthropic_are_processing_until_the_batch_expires(slow: Simulator) -> None:
    slow.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.25))
    with anthropic_client_of(slow) as client:
        name = anthropic_submit(client)
        slow.advance(20 * 3_600)
        ran(slow, 1)
        assert anthropic_counts(client, name) == PROCESSING
        slow.advance(4 * 3_600)
        batch = anthropic_end(client, name)
    assert batch.request_counts.model_dump() == anthropic_table(succeeded=1, expired=3)


# --- OpenAI: lines are counted as they end -----------------------------------------------------


def test_lines_of_openai_are_counted_as_they_run(slow: Simulator) -> None:
    with openai_client_of(slow) as client:
        batch = submit(client, LINES)

        def counts() -> Any:
            told = client.batches.retrieve(batch.id).request_counts
            assert told is not None
            return told.model_dump()

        assert counts() == {"total": 0, "completed": 0, "failed": 0}, "they are not checked yet"
        for count in steps(slow):
            if count:
                assert counts() == {"total": LINES, "completed": count, "failed": 0}
        slow.advance(TIMES.finalizing_seconds)
        ended = until(
            lambda: client.batches.retrieve(batch.id), lambda batch: batch.status == "completed"
        )
    assert ended.request_counts.model_dump() == {"total": LINES, "completed": LINES, "failed": 0}


# --- Gemini: the same; counts are texts, and those of 0 are left out ---------------------------


def gemini_stats(done: int) -> dict[str, str]:
    counts = {
        "requestCount": LINES,
        "successfulRequestCount": done,
        "pendingRequestCount": LINES - done,
    }
    return {name: str(count) for name, count in counts.items() if count}


def test_lines_of_gemini_are_counted_as_they_run(slow: Simulator) -> None:
    told = create(slow, raw_inline(*(f"key {number}" for number in range(LINES))))
    name = told.json()["name"]
    for count in steps(slow):
        assert operation(slow, name)["metadata"]["batchStats"] == gemini_stats(count)
    slow.advance(TIMES.finalizing_seconds)
    ended = until(lambda: operation(slow, name), lambda seen: "done" in seen)
    assert ended["metadata"]["batchStats"] == gemini_stats(LINES)
