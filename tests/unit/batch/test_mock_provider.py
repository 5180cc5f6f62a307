"""A provider in memory, told what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from batch_llm import Batch, Job, JobResult, MockProvider, ModelConfig, ProviderRegistry
from batch_llm.exceptions import InputError, InvalidRequestError, ServerError


def jobs_named(*names: str) -> list[Job]:
    return [Job(name, prompt="x", model="mock-model") for name in names]


def test_jobs_end_as_they_were_told_to() -> None:
    provider = MockProvider()
    provider.set_mock_response("a", JobResult("a", "Paris", cost_usd=0.5))
    provider.set_mock_failure("b", ServerError("it burned"))
    request = provider.create_batch(jobs_named("a", "b", "c"))
    assert request.get_status() == "complete"
    told, failed, usual = request.get_results()
    assert (told.response, told.cost_usd) == ("Paris", 0.5)
    assert failed.error == "ServerError: it burned"
    assert usual.is_success
    assert usual.cost_usd == 0.0


def test_each_submission_has_its_own_result() -> None:
    provider = MockProvider()
    provider.set_mock_response(
        "a", [JobResult("a", error="no", cost_usd=0.0), JobResult("a", "yes")]
    )
    ProviderRegistry.register(provider)
    try:
        run = Batch().add_job("a", prompt="x", model="mock-model").run(wait=True)
        assert run.status().failed == 1
        run.retry_failed().wait()
    finally:
        ProviderRegistry.unregister(provider.name)
    assert run.results()["a"].response == "yes"
    with pytest.raises(InputError, match="at least one result"):
        provider.set_mock_response("a", [])


def test_a_delay_keeps_a_batch_running() -> None:
    seconds = [0.0]
    provider = MockProvider(clock=lambda: seconds[0])
    provider.set_mock_delay("a", 60.0)
    request = provider.create_batch(jobs_named("a", "b"))
    assert request.get_status() == "running"
    with pytest.raises(InputError, match="goes on"):
        request.get_results()
    seconds[0] = 60.0
    assert request.get_status() == "complete"


def test_a_cancel_keeps_what_was_done() -> None:
    seconds = [0.0]
    provider = MockProvider(clock=lambda: seconds[0])
    provider.set_mock_delay("slow", 60.0)
    request = provider.create_batch(jobs_named("slow", "fast"))
    assert provider.cancel_batch(str(request)) is True
    seconds[0] = 100.0
    assert [result.outcome for result in request.get_results()] == ["cancelled", "succeeded"]
    assert provider.cancel_batch(str(request)) is False


@pytest.mark.parametrize(
    "method", ["create_batch", "get_batch_status", "get_batch_results", "cancel_batch"]
)
def test_methods_fail_by_their_names(method: str) -> None:
    provider = MockProvider()
    request = provider.create_batch(jobs_named("a"))
    provider.set_mock_failure(method, ServerError("503"))
    with pytest.raises(ServerError):
        getattr(provider, method)(jobs_named("a") if method == "create_batch" else str(request))
    assert len(provider.requests) == 1


def test_the_cost_is_that_of_the_dearest_result() -> None:
    provider = MockProvider()
    provider.set_mock_response("a", [JobResult("a", cost_usd=0.25), JobResult("a", cost_usd=0.5)])
    assert provider.estimate_cost(jobs_named("a", "b")) == 0.5


def test_batches_are_found_by_their_jobs() -> None:
    provider, before = MockProvider(), datetime.now(UTC)
    provider.create_batch(jobs_named("a"))
    request = provider.create_batch(jobs_named("a", "b"))
    assert provider.find_batch(["a", "b"], before) == request.id
    assert provider.find_batch(["b", "a"], before) is None
    assert provider.find_batch(["a", "b"], before + timedelta(hours=1)) is None


def test_what_is_not_there_is_said() -> None:
    with pytest.raises(InvalidRequestError, match="'nothing'"):
        MockProvider().get_batch_status("nothing")


def test_models_may_be_told_in_full() -> None:
    config = ModelConfig("small", 10, 10)
    provider = MockProvider(["large", config])
    assert provider.models["small"] is config
    assert provider.models["large"].reads(".pdf")
