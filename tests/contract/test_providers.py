"""What the batch lane asks of every provider: the six methods, and a run through `Batch`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

from batch_llm import (
    AnthropicProvider,
    Batch,
    BatchRequest,
    GeminiProvider,
    Job,
    JobResult,
    MockProvider,
    OpenAIProvider,
    Provider,
    ProviderRegistry,
)
from batch_llm.exceptions import ProviderError
from batch_llm.providers import Retries
from batch_llm.testing.simulator import Fault, FaultKind, Simulator

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = Retries(attempts=6, initial_seconds=0.001)
KEY = "a-secret-key-of-mine"


class Animal(BaseModel):
    legs: int


@dataclass(frozen=True)
class Case:
    """A provider, and the model it is tried with."""

    name: str
    model: str
    open: Callable[[Simulator], Provider]


def _openai(simulator: Simulator) -> Provider:
    return OpenAIProvider(
        base_url=simulator.openai_base_url,
        api_key=KEY,
        retries=AT_ONCE,
        token_limit_field="max_completion_tokens",
    )


def _anthropic(simulator: Simulator) -> Provider:
    return AnthropicProvider(base_url=simulator.anthropic_base_url, api_key=KEY, retries=AT_ONCE)


def _gemini(simulator: Simulator) -> Provider:
    return GeminiProvider(base_url=simulator.gemini_base_url, api_key=KEY, retries=AT_ONCE)


class EchoProvider(MockProvider):
    """Answers with the question, as the simulator does, and costs something."""

    def create_batch(self, jobs: list[Job]) -> BatchRequest:
        for job in jobs:
            text = '{"legs": 4}' if job.response_model else job.prompt or ""
            told = JobResult(job.id, text, input_tokens=3, output_tokens=2, cost_usd=0.01)
            self.set_mock_response(job.id, told)
            self.set_mock_delay(job.id, 0.05)
        return super().create_batch(jobs)

    def estimate_cost(self, jobs: list[Job]) -> float:
        return 0.01 * len(jobs)


def _mock(_: Simulator) -> Provider:
    return EchoProvider()


CASES = [
    Case("openai", "gpt-4o-mini", _openai),
    Case("anthropic", "claude-haiku-4-5", _anthropic),
    Case("gemini", "gemini-2.5-flash", _gemini),
    Case("mock", "mock-model", _mock),
]


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=3, speed=10_000) as simulator:
        yield simulator


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def provider(case: Case, simulator: Simulator) -> Provider:
    return case.open(simulator)


def jobs_of(case: Case, count: int = 3) -> list[Job]:
    return [
        Job(f"Zeile {n} / é", prompt=f"question {n}", model=case.model, max_tokens=50)
        for n in range(count)
    ]


def completed(request: BatchRequest) -> str:
    """Wait for the end of a batch: a provider's time is passed by asking it."""
    for _ in range(2_000):
        status = request.get_status()
        if status in ("complete", "failed"):
            return status
        assert status in ("pending", "running")
        time.sleep(0.001)
    raise AssertionError("it never ended")


# -- the six methods


def test_a_batch_lives_from_its_creation_to_its_results(provider: Provider, case: Case) -> None:
    jobs = jobs_of(case)
    request = provider.create_batch(jobs)
    assert isinstance(request, BatchRequest)
    assert str(request) == request.id
    assert request.jobs == jobs
    assert request.provider is provider
    assert request.status == "pending"
    assert request.submitted_at.tzinfo is not None
    assert completed(request) == "complete"
    assert request.status == "complete"
    results = {result.job_id: result for result in request.get_results()}
    assert {job_id: result.response for job_id, result in results.items()} == {
        job.id: job.prompt for job in jobs
    }
    assert all(result.cost_usd and result.input_tokens for result in results.values())


def test_the_methods_take_ids(provider: Provider, case: Case) -> None:
    request = provider.create_batch(jobs_of(case))
    completed(request)  # type: ignore[arg-type]
    assert provider.get_batch_status(str(request)) == "complete"
    assert len(provider.get_batch_results(str(request))) == 3
    assert provider.cancel_batch(str(request)) is False


def test_a_batch_that_goes_on_has_no_results_yet(
    provider: Provider, case: Case, simulator: Simulator
) -> None:
    simulator.set_speed(1e-6)
    try:
        request = provider.create_batch(jobs_of(case))
        assert provider.get_batch_status(str(request)) in ("pending", "running")
        with pytest.raises(ValueError, match="goes on"):
            provider.get_batch_results(str(request))
    finally:
        simulator.set_speed(10_000)


def test_a_cancelled_batch_tells_of_each_job(
    provider: Provider, case: Case, simulator: Simulator
) -> None:
    simulator.set_speed(1e-6)
    try:
        request = provider.create_batch(jobs_of(case))
        assert provider.cancel_batch(str(request)) is True
        simulator.advance(3_600)
        assert provider.get_batch_status(str(request)) == "complete"
    finally:
        simulator.set_speed(10_000)
    results = provider.get_batch_results(str(request))
    assert [result.job_id for result in results] == [job.id for job in jobs_of(case)]
    assert {result.outcome for result in results} == {"cancelled"}


def test_the_cost_is_estimated_from_above(provider: Provider, case: Case) -> None:
    jobs = jobs_of(case)
    one, most = provider.estimate_cost(jobs[:1]), provider.estimate_cost(jobs)
    assert 0 < one < most
    request = provider.create_batch(jobs)
    completed(request)  # type: ignore[arg-type]
    results = provider.get_batch_results(str(request))
    assert sum(result.cost_usd or 0 for result in results) <= most


def test_what_is_no_batch_is_an_error(provider: Provider, case: Case) -> None:
    with pytest.raises(ProviderError):
        provider.get_batch_status("batches/x" if case.name == "gemini" else "batch_x")


def test_no_jobs_make_no_batch(provider: Provider) -> None:
    with pytest.raises(ValueError, match="at least one job"):
        provider.create_batch([])


def test_its_models_are_known(provider: Provider, case: Case) -> None:
    config = provider.models[case.model]
    assert config.name == case.model
    assert config.max_input_tokens > 1_000
    provider.validate_job(jobs_of(case)[0])


def test_a_result_is_read_by_its_model(provider: Provider, case: Case) -> None:
    ProviderRegistry.register(provider)
    try:
        batch = Batch(poll_interval_seconds=0.01).defaults(model=case.model)
        batch.add_job("cow", prompt="A cow", response_model=Animal)
        result = batch.run(wait=True).results()["cow"]
    finally:
        ProviderRegistry.unregister(provider.name)
    assert isinstance(result.parsed_response, Animal)


# -- of the package's own clients


@pytest.fixture(params=CASES[:3], ids=lambda case: case.name)
def own(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


def test_jobs_of_two_models_are_two_batches(own: Case, simulator: Simulator) -> None:
    others = {"openai": "gpt-4o", "anthropic": "claude-sonnet-4-5", "gemini": "gemini-2.5-pro"}
    jobs = [*jobs_of(own), Job("other", prompt="x", model=others[own.name])]
    with pytest.raises(ValueError, match="one model"):
        own.open(simulator).create_batch(jobs)
    assert not simulator.books.creates("batch")


def test_defaults_that_a_model_does_not_take_are_left_out(simulator: Simulator) -> None:
    provider = _openai(simulator)
    job = Job("a", prompt="question", model="gpt-5-mini")
    assert job.temperature == 0.7
    provider.validate_job(job)
    request = provider.create_batch([job])
    assert isinstance(request, BatchRequest)
    completed(request)
    assert request.get_results()[0].response == "question"
    with pytest.raises(ValueError, match="temperature cannot be set"):
        provider.validate_job(Job("a", prompt="x", model="gpt-5-mini", temperature=0.1))


def test_the_model_of_another_provider_is_refused(own: Case, simulator: Simulator) -> None:
    provider_class = type(own.open(simulator))
    other = next(case for case in CASES[:3] if case.name != own.name)
    strict: Provider = provider_class(api_key=KEY)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match=f"is a model of {other.name}"):
        strict.validate_job(jobs_of(other)[0])


@pytest.mark.parametrize("kind", [FaultKind.DROPPED, FaultKind.TRUNCATED_JSON])
def test_a_create_whose_answer_is_lost_is_found(
    own: Case, simulator: Simulator, kind: FaultKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_llm.batch.faces.client_provider._LOOK_SECONDS", 0.01)
    monkeypatch.setattr("batch_llm.batch.faces.client_provider._LOOKS", 500)
    simulator.add_fault(Fault(kind=kind, operation="batches.create", calls=(1,)))
    request = own.open(simulator).create_batch(jobs_of(own))
    assert isinstance(request, BatchRequest)
    assert completed(request) == "complete"
    assert len(request.get_results()) == 3
    assert len(simulator.books.creates("batch")) == 1


def test_results_that_are_missing_have_failed(own: Case, simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.BATCH_MISSING_LINES, share=0.5))
    request = own.open(simulator).create_batch(jobs_of(own, 10))
    assert isinstance(request, BatchRequest)
    completed(request)
    results = request.get_results()
    assert len(results) == 10
    assert sum(result.is_success for result in results) == 5
    assert all(result.is_success or "lack this job" in (result.error or "") for result in results)


def test_a_batch_of_another_object_cannot_be_read(own: Case, simulator: Simulator) -> None:
    request = own.open(simulator).create_batch(jobs_of(own))
    assert isinstance(request, BatchRequest)
    completed(request)
    later = own.open(simulator)
    assert later.get_batch_status(request.id) == "complete"
    with pytest.raises(ValueError, match="state_file"):
        later.get_batch_results(request.id)


def test_a_client_of_ones_own_is_spoken_to(own: Case, simulator: Simulator) -> None:
    client = own.open(simulator).open_client()
    provider: Any = type(own.open(simulator))
    face = provider(client, name="mine")
    assert face.open_client() is client
    assert face.name == "mine"
    with pytest.raises(ValueError, match="not both"):
        provider(client, api_key=KEY)


async def test_the_methods_work_within_a_running_loop(own: Case, simulator: Simulator) -> None:
    request = own.open(simulator).create_batch(jobs_of(own, 1))
    assert str(request)


# -- through a run


def test_a_run_goes_through_any_provider(provider: Provider, case: Case) -> None:
    ProviderRegistry.register(provider)
    try:
        batch = Batch(items_per_batch=4, poll_interval_seconds=0.01).defaults(model=case.model)
        for job in jobs_of(case, 10):
            batch.add_job(job.id, prompt=job.prompt)
        most = batch.run(dry_run=True).most_usd
        run = batch.add_cost_limit(usd=5).run(wait=True)
    finally:
        ProviderRegistry.unregister(provider.name)
    status = run.status()
    assert status.succeeded == 10
    assert len(status.batches) == 3
    assert {each["provider"] for each in status.batches} == {provider.name}
    assert most is not None
    assert 0 < status.cost_usd <= most
    assert run.results()["Zeile 3 / é"].response == "question 3"
