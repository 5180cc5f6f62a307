"""Batches at providers, several at a time and within a limit in USD."""

from __future__ import annotations

import math
import threading
from concurrent.futures import CancelledError

import pytest

from batch_llm import BatchRequest, ConcurrentExecutor, Job, JobResult, MockProvider
from batch_llm.batch.faces.executor import Completed
from batch_llm.exceptions import (
    ConfigurationError,
    InputError,
    ProviderError,
    ServerError,
    SubmissionError,
)


def jobs_named(*names: str) -> list[Job]:
    return [Job(name, prompt="x", model="mock-model") for name in names]


def priced(**usd: float) -> MockProvider:
    """Return a provider whose jobs cost so much."""
    provider = MockProvider()
    for name, cost_usd in usd.items():
        provider.set_mock_response(name, JobResult(name, "text", cost_usd=cost_usd))
    return provider


def all_completed(executor: ConcurrentExecutor) -> list[Completed]:
    """Collect until nothing is active."""
    found: list[Completed] = []
    while executor.active_futures:
        for future in list(executor.active_futures):
            if future.running():
                future.exception()  # waits
        found += executor.get_completed()
    return found


def test_jobs_are_submitted_and_collected_once() -> None:
    provider = priced(a=0.5, b=0.25)
    with ConcurrentExecutor(2, cost_limit_usd=10) as executor:
        future = executor.submit_if_allowed(provider, jobs_named("a", "b"))
        assert future is not None
        request = future.result()
        assert executor.active_futures[future] is request
        assert executor.cost_tracker.get_stats()["reserved_usd"] == 0.75
        ((found, results),) = executor.get_completed()
        assert found is request
        assert [result.job_id for result in results] == ["a", "b"]
        assert executor.active_futures == {}
        assert executor.get_completed() == []
        stats = executor.cost_tracker.get_stats()
        assert (stats["used_usd"], stats["reserved_usd"]) == (0.75, 0)


def test_what_exceeds_the_limit_is_not_submitted() -> None:
    provider = priced(a=0.75, b=0.5, c=0.25)
    with ConcurrentExecutor(3, cost_limit_usd=1.0) as executor:
        assert executor.submit_if_allowed(provider, jobs_named("a")) is not None
        assert executor.submit_if_allowed(provider, jobs_named("b")) is None
        assert executor.submit_if_allowed(provider, jobs_named("c")) is not None
        assert len(all_completed(executor)) == 2
        assert executor.cost_tracker.used_usd == 1.0
    assert [request.jobs[0].id for request in provider.requests] == ["a", "c"]


def test_an_estimate_that_is_no_amount_is_refused_under_a_limit() -> None:
    for told in (-1.0, math.nan, None):
        provider = priced(a=0.5)
        provider.estimate_cost = lambda jobs, told=told: told  # type: ignore[method-assign,misc]
        with ConcurrentExecutor(1, cost_limit_usd=1.0) as executor:
            assert executor.submit_if_allowed(provider, jobs_named("a")) is None


def test_a_cost_that_is_no_amount_stays_held() -> None:
    for told in (-1.0, math.nan):
        provider = priced(a=told)
        provider.estimate_cost = lambda jobs: 0.75  # type: ignore[method-assign]
        with ConcurrentExecutor(1, cost_limit_usd=1.0) as executor:
            assert executor.submit_if_allowed(provider, jobs_named("a")) is not None
            assert len(all_completed(executor)) == 1
            stats = executor.cost_tracker.get_stats()
            assert (stats["used_usd"], stats["held_usd"]) == (0, 0.75)


def test_what_a_batch_did_not_cost_makes_room() -> None:
    provider = priced(a=0.75, b=0.75)
    provider.estimate_cost = lambda jobs: 1.0  # type: ignore[method-assign]
    with ConcurrentExecutor(3, cost_limit_usd=1.8) as executor:
        assert executor.submit_if_allowed(provider, jobs_named("a")) is not None
        assert executor.submit_if_allowed(provider, jobs_named("b")) is None
        all_completed(executor)
        assert executor.submit_if_allowed(provider, jobs_named("b")) is not None


def test_a_create_that_names_no_batch_has_failed() -> None:
    provider = priced(a=0.5)
    provider.create_batch = lambda jobs: None  # type: ignore[method-assign]
    with ConcurrentExecutor(1) as executor:
        future = executor.submit_if_allowed(provider, jobs_named("a"))
        assert future is not None
        with pytest.raises(TypeError, match="create_batch returned None"):
            future.result(timeout=20)


def test_an_estimate_that_fails_is_refused_under_a_limit() -> None:
    provider = priced(a=0.5)
    provider.set_mock_failure("estimate_cost", ConfigurationError("no price"))
    with ConcurrentExecutor(1, cost_limit_usd=100) as executor:
        assert executor.submit_if_allowed(provider, jobs_named("a")) is None
    with ConcurrentExecutor(1) as executor:
        assert executor.submit_if_allowed(provider, jobs_named("a")) is not None
        assert len(all_completed(executor)) == 1
        assert executor.cost_tracker.used_usd == 0.5


def test_no_more_are_under_way_than_allowed() -> None:
    seconds = [0.0]
    provider = MockProvider(clock=lambda: seconds[0])
    for name in "abc":
        provider.set_mock_delay(name, 60.0)
    with ConcurrentExecutor(2) as executor:
        futures = [executor.submit_if_allowed(provider, jobs_named(name)) for name in "abc"]
        assert all(futures)
        first, second, third = (future for future in futures if future is not None)
        assert {first.result().id, second.result().id} == {"mock_batch_1", "mock_batch_2"}
        assert executor.get_completed() == []
        assert not third.running()
        assert not third.done()
        seconds[0] = 61.0
        assert len(executor.get_completed()) == 2
        assert third.result().jobs[0].id == "c"
        assert executor.get_completed() == []
        seconds[0] = 122.0
        assert len(executor.get_completed()) == 1


def test_an_id_is_enough() -> None:
    provider = priced(a=0.5)
    original = provider.create_batch
    provider.create_batch = lambda jobs: original(jobs).id  # type: ignore[assignment,method-assign,return-value]
    with ConcurrentExecutor(1) as executor:
        future = executor.submit_if_allowed(provider, jobs_named("a"))
        assert future is not None
        assert isinstance(future.result(), BatchRequest)
        ((_, results),) = executor.get_completed()
        assert results[0].is_success


@pytest.mark.parametrize(
    ("error", "held_usd"),
    [
        (InputError("no"), 0.0),
        (ValueError("no"), 0.0),
        (SubmissionError("no", "refused"), 0.0),
        (SubmissionError("who knows"), 0.5),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "after the create"), 0.5),
        (RuntimeError("no"), 0.5),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_batch_that_is_not_submitted_tells_of_each_job(error: Exception, held_usd: float) -> None:
    provider = priced(a=0.25, b=0.25)
    provider.set_mock_failure("create_batch", error)
    with ConcurrentExecutor(1, cost_limit_usd=1) as executor:
        future = executor.submit_if_allowed(provider, jobs_named("a", "b"))
        assert future is not None
        assert future.exception() is error
        ((request, results),) = executor.get_completed()
        assert (request.id, request.status) == ("", "failed")
        assert [result.job_id for result in results] == ["a", "b"]
        assert all(type(error).__name__ in (result.error or "") for result in results)
        # What may run all the same may cost what was reserved for it.
        stats = executor.cost_tracker.get_stats()
        assert (stats["held_usd"], stats["reserved_usd"]) == (held_usd, 0)


@pytest.mark.parametrize("step", ["get_batch_status", "get_batch_results"])
def test_a_failed_look_is_none_of_the_batch(step: str) -> None:
    provider = priced(a=0.5)
    with ConcurrentExecutor(1, cost_limit_usd=1) as executor:
        future = executor.submit_if_allowed(provider, jobs_named("a"))
        assert future is not None
        future.result()
        provider.set_mock_failure(step, ServerError("503", status_code=503))
        assert executor.get_completed() == []
        assert executor.cost_tracker.get_stats()["reserved_usd"] == 0.5
        del provider.mock_failures[step]
        assert len(executor.get_completed()) == 1


def test_missing_results_have_failed_and_hold_what_was_reserved() -> None:
    provider = priced(a=0.5, b=0.25)
    original = provider.get_batch_results
    provider.get_batch_results = lambda name: original(name)[:1]  # type: ignore[method-assign]
    with ConcurrentExecutor(1, cost_limit_usd=1) as executor:
        executor.submit_if_allowed(provider, jobs_named("a", "b"))
        ((_, results),) = all_completed(executor)
        assert [result.is_success for result in results] == [True, False]
        assert "lack this job" in (results[1].error or "")
        assert executor.cost_tracker.get_stats()["held_usd"] == 0.75


def test_a_batch_that_failed_has_failed_jobs() -> None:
    provider = priced(a=0.5)
    provider.get_batch_status = lambda _: "failed"  # type: ignore[method-assign]
    provider.set_mock_failure("get_batch_results", ProviderError("none there"))
    with ConcurrentExecutor(1) as executor:
        executor.submit_if_allowed(provider, jobs_named("a"))
        ((request, results),) = all_completed(executor)
        assert request.status == "failed"
        assert not results[0].is_success


def test_after_a_shutdown_nothing_begins_and_what_was_begun_is_collected() -> None:
    entered, goes_on = threading.Event(), threading.Event()
    provider = priced(a=0.5, b=0.25)
    original = provider.create_batch

    def slow(jobs: list[Job]) -> BatchRequest:
        entered.set()
        assert goes_on.wait(10)
        return original(jobs)

    provider.create_batch = slow  # type: ignore[method-assign]
    executor = ConcurrentExecutor(1, cost_limit_usd=1)
    first = executor.submit_if_allowed(provider, jobs_named("a"))
    second = executor.submit_if_allowed(provider, jobs_named("b"))
    assert first is not None
    assert second is not None
    assert entered.wait(10)
    executor.shutdown(wait=False)
    assert executor.submit_if_allowed(provider, jobs_named("a")) is None
    with pytest.raises(CancelledError):
        second.result()
    assert executor.cost_tracker.get_stats()["reserved_usd"] == 0.5
    goes_on.set()
    executor.shutdown(wait=True)
    assert first.done()
    assert len(executor.get_completed()) == 1
    assert len(provider.requests) == 1


@pytest.mark.parametrize("number", [0, -1, 1.5, True])
def test_a_number_that_cannot_work_is_refused(number: int) -> None:
    with pytest.raises(ConfigurationError, match="max_concurrent"):
        ConcurrentExecutor(number)


def test_a_status_that_raises_anything_loses_no_other_batch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Unsteady(MockProvider):
        is_down = True

        def get_batch_status(self, batch_id: str) -> str:
            if self.is_down:
                raise TimeoutError("read timed out")
            return super().get_batch_status(batch_id)

    steady, unsteady = priced(a=0.5), Unsteady()
    with ConcurrentExecutor(2) as executor:
        for provider, name in ((steady, "a"), (unsteady, "b")):
            future = executor.submit_if_allowed(provider, jobs_named(name))
            assert future is not None
            future.result()
        ((_, (first,)),) = executor.get_completed()
        assert first.job_id == "a"
        assert "TimeoutError: read timed out" in caplog.text
        assert len(executor.active_futures) == 1
        unsteady.is_down = False
        ((_, (second,)),) = executor.get_completed()
    assert second.job_id == "b"


def test_the_threads_that_submit_can_be_used_and_end_with_it() -> None:
    with ConcurrentExecutor(max_concurrent=1) as executor:
        assert executor.executor.submit(lambda: 7).result() == 7
    with pytest.raises(RuntimeError, match="shutdown"):
        executor.executor.submit(print)
