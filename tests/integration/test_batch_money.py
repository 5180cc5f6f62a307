"""What the batch lane says jobs cost, beside the simulator's books, and a limit that holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.batch_lane import PROVIDERS, Provider, batch_of, open_client

from batch_llm.testing.simulator import Fault, FaultKind, Simulator
from batch_llm.testing.simulator.call import Answer, ModelCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_llm.batch import Batch

HOUSE = "The history of the house, told in full, ünd mit Umlauten. " * 200
THINKING = [*PROVIDERS, Provider("openai", "gpt-5-mini"), Provider("anthropic", "claude-sonnet-5")]
VECTORS = [
    Provider("openai", "text-embedding-3-small"),
    Provider("gemini", "gemini-embedding-001"),
]


def thoughtful(call: ModelCall) -> Answer:
    """Think about it for as many tokens as the question has, and say so."""
    return Answer(f"An answer. {call.prompt[-20:]}", reasoning_tokens=call.input_tokens % 97 + 1)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=7, speed=10_000, answers=thoughtful) as simulator:
        yield simulator


@pytest.fixture(params=THINKING, ids=lambda each: each.model)
def provider(request: pytest.FixtureRequest) -> Provider:
    found: Provider = request.param
    return found


def thinking_batch(provider: Provider, simulator: Simulator, system: str | None = HOUSE) -> Batch:
    batch = batch_of(provider, open_client(provider.name, simulator), items_per_batch=25)
    for n in range(60):
        batch.add_job(f"job {n}", system=system, prompt=f"Question {n}: " + "why? " * (n * 7 % 90))
    return batch


def test_jobs_cost_what_the_books_say(provider: Provider, simulator: Simulator) -> None:
    run = thinking_batch(provider, simulator).run(wait=True)
    results, books = run.results().values(), simulator.books.totals()
    assert {result.outcome for result in results} == {"succeeded"}
    assert books.unpriced == 0
    assert run.status().cost_usd == pytest.approx(books.usd, abs=1e-9)
    assert sum(result.cost_usd or 0 for result in results) == pytest.approx(books.usd, abs=1e-9)
    assert sum(result.input_tokens for result in results) == books.input_tokens
    assert sum(result.output_tokens for result in results) == books.output_tokens
    assert sum(result.reasoning_tokens for result in results) == books.reasoning_tokens > 0
    assert sum(result.cached_input_tokens for result in results) == books.cached_input_tokens
    if provider.name == "openai":  # the others cache nothing unasked
        assert books.cached_input_tokens > 0


@pytest.mark.parametrize("kind", ["refusal", "safety", "length", "empty"])
def test_answers_of_no_use_cost_what_the_books_say(
    provider: Provider, simulator: Simulator, kind: str
) -> None:
    simulator.add_fault(Fault(kind=FaultKind(kind), lane="batch", prompt_contains="Question 1"))
    run = thinking_batch(provider, simulator).run(wait=True)
    books, results = simulator.books.totals(), run.results().values()
    odd = [result for result in results if not result.is_success or result.is_truncated]
    assert len(odd) == 11
    assert run.status().cost_usd == pytest.approx(books.usd, abs=1e-9)
    assert sum(result.reasoning_tokens for result in results) == books.reasoning_tokens


@pytest.mark.parametrize("provider", VECTORS, ids=lambda each: each.model, indirect=False)
def test_vectors_cost_what_the_books_say(
    provider: Provider, simulator: Simulator, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client(provider.name, simulator)
    batch = batch_of(provider, client, items_per_batch=10)
    for n in range(30):
        batch.add_job(f"text {n}", text=f"Text {n}. " * (n + 1))
    run = batch.run(wait=True)
    books = simulator.books.totals()
    results = run.results()
    assert {result.outcome for result in results.values()} == {"succeeded"}
    assert all(result.embedding for result in results.values())
    assert len({tuple(result.embedding or ()) for result in results.values()}) == 30
    assert sum(result.input_tokens for result in results.values()) == books.input_tokens > 0
    assert run.status().cost_usd == pytest.approx(books.usd, abs=1e-9)
    # Both count at the live price, for no other is listed: the user is told, once a run.
    warned = [each for each in caplog.messages if "No price of batches is listed" in each]
    assert len(warned) == 1
    assert provider.model in warned[0]


def test_the_estimate_has_the_cost_between_its_ends(
    provider: Provider, simulator: Simulator
) -> None:
    batch = thinking_batch(provider, simulator, system=None)  # nothing that a cache could hold
    found = batch.run(dry_run=True)
    assert simulator.books.totals().requests == 0
    cost = batch.run(wait=True).status().cost_usd
    assert found.low_usd is not None
    assert found.most_usd is not None
    assert 0 < found.low_usd <= cost <= found.most_usd


def test_a_limit_refuses_what_has_no_estimate(simulator: Simulator) -> None:
    provider = Provider("openai", "openai:gpt-unheard-of")
    batch = batch_of(provider, open_client("openai", simulator)).add_cost_limit(usd=100)
    batch.add_job("unknown", prompt="What do you cost?")
    batch.add_job("known", prompt="And you?", model="gpt-4o-mini")
    run = batch.run(wait=True)
    assert list(run.results()) == ["known"]
    status = run.status()
    assert (status.pending, status.succeeded) == (1, 1)
    assert "no price of gpt-unheard-of is known" in (status.stopped_because or "")
    assert {record.model for record in simulator.books.records if record.executed} == {
        "gpt-4o-mini"
    }


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda each: each.name)
def test_what_ran_without_a_result_stays_reserved(provider: Provider, simulator: Simulator) -> None:
    """Gemini's expired batches have no results; what had run by then is billed all the same."""
    simulator.set_speed(1_000_000)
    simulator.add_fault(Fault(kind=FaultKind.BATCH_EXPIRED, share=0.5))
    batch = batch_of(provider, open_client(provider.name, simulator)).add_cost_limit(usd=10)
    for n in range(20):
        batch.add_job(f"job {n}", prompt=f"Question {n}")
    status = batch.run(wait=True).status()
    simulator.set_speed(10_000)
    billed = simulator.books.totals().usd
    assert billed > 0
    assert billed <= status.cost_usd + status.reserved_usd + 1e-12
    if provider.name == "gemini":
        assert status.reserved_usd > 0
    else:
        assert status.cost_usd == pytest.approx(billed, abs=1e-12)
