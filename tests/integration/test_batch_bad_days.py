"""Remote batches on bad days of their providers: no failure on the way to one is one of it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.batch_lane import open_client
from tests.simulated_batches import PROVIDERS, batch_of, empty_batch

from batch_llm.exceptions import AuthenticationError, RateLimitedError
from batch_llm.providers.connection import submission_error
from batch_llm.testing.simulator import Fault, FaultKind, Limit, Simulator
from batch_llm.wire.anthropic_errors import error_from_response as anthropic_error
from batch_llm.wire.openai_batch import decode_batch
from batch_llm.wire.openai_errors import error_from_response as openai_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from batch_llm.batch import BatchRun, RunStatus
    from batch_llm.exceptions import ProviderError
    from batch_llm.wire.batch_item import BatchAnswer
    from batch_llm.wire.remote_status import RemoteStatus

POLLS = {
    "openai": "batches.retrieve",
    "anthropic": "batches.retrieve",
    "gemini": "batches.get",
    "gemini by file": "batches.get",
}
DOWNLOADS = {
    "openai": "files.content",
    "anthropic": "batches.results",
    "gemini": "batches.get",
    "gemini by file": "files.download",
}
TROUBLES = {
    "500": {"kind": FaultKind.STATUS, "status": 500},
    "429": {"kind": FaultKind.STATUS, "status": 429},
    "404": {"kind": FaultKind.STATUS, "status": 404},
    "401": {"kind": FaultKind.STATUS, "status": 401},
    "no answer": {"kind": FaultKind.HANG},
    "reset": {"kind": FaultKind.RESET_BEFORE},
    "half of it": {"kind": FaultKind.RESET_IN_BODY},
    "cut off": {"kind": FaultKind.TRUNCATED_JSON},
    "no JSON": {"kind": FaultKind.INVALID_JSON},
    "a web page": {"kind": FaultKind.WRONG_CONTENT_TYPE},
}
ATTEMPTS = 6
"""Of a client; after so many failures, the run hears of them."""

each_provider = pytest.mark.parametrize("provider", PROVIDERS)
each_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=TROUBLES)


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(seed=10, speed=10_000) as simulator:
        yield simulator


def until(run: BatchRun, holds: Callable[[RunStatus], object]) -> RunStatus:
    """Wait until the status of a run is such, and return it."""
    while not holds(status := run.status()):
        assert not run.is_complete, status
        time.sleep(0.005)
    return status


def whys(status: RunStatus) -> str:
    return "; ".join(each["why_waiting"] for each in status.batches)


def check_all_executed_once(run: BatchRun, simulator: Simulator, jobs: int = 10) -> None:
    answers = {job_id: result.response for job_id, result in run.results().items()}
    assert answers == {f"job {n}": f"question {n}" for n in range(jobs)}
    assert len(simulator.books.select(executed=True)) == jobs
    assert not simulator.books.repeated("prompt")
    assert run.status().cost_usd == pytest.approx(simulator.books.totals().usd)
    assert run.status().reserved_usd == 0


@each_trouble
@each_provider
def test_a_poll_that_fails_fails_no_batch_and_frees_no_money(
    provider: str, trouble: dict[str, object], simulator: Simulator
) -> None:
    simulator.add_fault(Fault(operation=POLLS[provider], **trouble))
    run = batch_of(provider, simulator, orphan_grace_seconds=600).run()
    status = until(run, lambda status: "polling fails" in whys(status))
    assert status.failed == 0
    assert status.in_flight == 10
    assert status.reserved_usd > 0
    simulator.clear_faults()
    assert run.wait()
    check_all_executed_once(run, simulator)


def test_a_state_that_nobody_knows_is_told_of_and_warned_of_once(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_client("openai", simulator)
    poll, is_known = client.poll, threading.Event()

    async def with_a_word_of_its_own(remote_id: str) -> RemoteStatus:
        found = await poll(remote_id)
        return found if is_known.is_set() else decode_batch(b'{"id": "b", "status": "paused"}')

    monkeypatch.setattr(client, "poll", with_a_word_of_its_own)
    run = batch_of("openai", simulator, client=client).run()
    until(run, lambda status: "'paused', a word that is not known here" in whys(status))
    time.sleep(0.1)  # some more looks
    is_known.set()
    assert run.wait()
    assert len([each for each in caplog.messages if "'paused'" in each]) == 1
    check_all_executed_once(run, simulator)


@each_trouble
@each_provider
def test_results_that_cannot_be_fetched_for_a_while_are_fetched_later(
    provider: str, trouble: dict[str, object], simulator: Simulator
) -> None:
    fault = Fault(operation=DOWNLOADS[provider], times=ATTEMPTS + 2, **trouble)
    client, faults = open_client(provider, simulator), [fault]
    collect = client.collect

    def collect_on_a_bad_day(*given: Any, **options: Any) -> AsyncIterator[BatchAnswer]:
        if faults:
            simulator.add_fault(faults.pop())
        return collect(*given, **options)

    client.collect = collect_on_a_bad_day  # type: ignore[method-assign]
    settings = {"client": client, "orphan_grace_seconds": 30}
    run = batch_of(provider, simulator, **settings).run(wait=True)
    check_all_executed_once(run, simulator)
    assert not faults


@pytest.mark.parametrize("step", ["poll", "list", "download"])
@each_provider
def test_a_key_that_is_refused_for_long_ends_the_run_and_nothing_is_lost(
    provider: str,
    step: str,
    simulator: Simulator,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    operations = {"poll": POLLS[provider], "list": "batches.list", "download": DOWNLOADS[provider]}
    if step == "list":
        simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation="batches.create", calls=(1,)))
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=401, operation=operations[step]))
    state = tmp_path / "state.jsonl"
    with pytest.raises(AuthenticationError, match="refuses the key, and its jobs wait"):
        batch_of(provider, simulator, state_file=state).run(wait=True)
    assert len([each for each in caplog.messages if "It is tried again" in each]) == 1
    simulator.clear_faults()
    check_all_executed_once(
        batch_of(provider, simulator, state_file=state).run(wait=True), simulator
    )


@pytest.mark.parametrize("status", [404, 410])
@each_provider
def test_jobs_of_a_batch_that_is_gone_fail_and_may_have_been_billed(
    provider: str, status: int, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=status, operation=POLLS[provider]))
    run = batch_of(provider, simulator).run()
    assert run.wait(60)
    results = run.results().values()
    assert {each.error for each in results} == {"the provider knows the batch no longer"}
    assert {each.cost_usd for each in results} == {None}
    assert run.status().failed == 10
    assert run.status().reserved_usd > 0


def test_results_that_nobody_fetched_in_time_are_given_up(simulator: Simulator) -> None:
    client = open_client("gemini by file", simulator)
    collect = client.collect

    def collect_days_later(*given: Any, **options: Any) -> AsyncIterator[BatchAnswer]:
        simulator.advance(3 * 86_400)
        return collect(*given, **options)

    client.collect = collect_days_later  # type: ignore[method-assign]
    run = batch_of("gemini by file", simulator, client=client).run()
    assert run.wait(60)
    assert run.status().failed == 10
    assert all("is gone" in (each.error or "") for each in run.results().values())
    assert run.status().reserved_usd > 0, "they were billed"


@pytest.mark.parametrize("provider", ["openai", "gemini by file"])
def test_results_that_cannot_be_read_stay_at_the_provider(
    provider: str, simulator: Simulator
) -> None:
    simulator.add_fault(Fault(kind=FaultKind.INVALID_JSON, operation=DOWNLOADS[provider]))
    run = batch_of(provider, simulator).run(wait=True)
    assert run.status().failed == 10
    assert all("can be given to no job" in (each.error or "") for each in run.results().values())
    assert run.status().reserved_usd > 0, "they may have been billed"
    routes = simulator.books.requests_by_route()
    deleted = {route: count for (_, route), count in routes.items() if route.startswith("DELETE")}
    assert [sum(count.values()) for count in deleted.values()] == [1], "the input alone"


@each_provider
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_create_that_is_refused_for_a_while_goes_again(
    provider: str, status: int, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_llm.batch.chunks.plan._FIRST_WAIT_SECONDS", 0.05)
    simulator.add_fault(
        Fault(kind=FaultKind.STATUS, status=status, operation="batches.create", times=3)
    )
    run = batch_of(provider, simulator, items_per_batch=4).run(wait=True)
    check_all_executed_once(run, simulator)


@each_provider
def test_a_create_goes_again_when_the_provider_asks_and_no_sooner(
    provider: str, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_llm.batch.chunks.plan._FIRST_WAIT_SECONDS", 0.01)
    state = tmp_path / "state.jsonl"
    fault = {"kind": FaultKind.STATUS, "status": 429, "operation": "batches.create"}
    simulator.add_fault(Fault(**fault, retry_after_seconds=1_000, times=1))
    for _ in range(2):  # the second one has it from the state
        run = batch_of(provider, simulator, state_file=state).run()
        status = until(run, lambda status: any("asks to wait" in why for why in status.waiting))
        run.wait(0.2)
        run.shutdown()
        assert status.failed == 0
        assert len(simulator.books.creates("batch")) == 0


@each_provider
def test_nothing_is_created_after_a_stop(
    provider: str, simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop comes while the body of the create is being made ready."""
    client, state = open_client(provider, simulator), tmp_path / "state.jsonl"
    create, is_creating = client.create, threading.Event()

    async def create_late(*given: Any) -> str:
        is_creating.set()
        may_send = given[-1]
        while may_send():
            await asyncio.sleep(0.001)
        return await create(*given)

    monkeypatch.setattr(client, "create", create_late)
    run = batch_of(provider, simulator, client=client, state_file=state).run()
    assert is_creating.wait(60)
    run.shutdown()
    assert len(simulator.books.creates("batch")) == 0
    later = batch_of(provider, simulator, state_file=state).run(wait=True)
    check_all_executed_once(later, simulator)


@pytest.mark.parametrize("provider", ["openai", "gemini by file"])
def test_a_file_goes_whose_batch_was_never_taken(provider: str, simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.RESET_BEFORE, operation="batches.create", calls=(1,)))
    run = batch_of(provider, simulator, keep_remote_files=True).run(wait=True)
    check_all_executed_once(run, simulator)
    routes = simulator.books.requests_by_route()
    deleted = {route: count for (_, route), count in routes.items() if route.startswith("DELETE")}
    assert [sum(count.values()) for count in deleted.values()] == [1]


def test_a_poll_waits_as_long_as_the_provider_asks(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, asked = open_client("openai", simulator), list[str]()

    async def refuse(remote_id: str) -> RemoteStatus:
        asked.append(remote_id)
        raise RateLimitedError("too many", status_code=429, retry_after=1_000)

    monkeypatch.setattr(client, "poll", refuse)
    run = batch_of("openai", simulator, client=client).run()
    until(run, lambda status: "polling fails" in whys(status))
    run.wait(0.3)
    run.shutdown(False)
    assert len(asked) == 1


@each_provider
@pytest.mark.parametrize("status", [404, 405, 415])
def test_a_create_that_is_bad_for_good_fails_its_jobs(
    provider: str, status: int, simulator: Simulator
) -> None:
    simulator.add_fault(
        Fault(kind=FaultKind.STATUS, status=status, operation="batches.create", times=1)
    )
    run = batch_of(provider, simulator).run(wait=True)
    assert {each.error_category for each in run.results().values()} == {"submission_refused"}
    assert run.status().reserved_usd == 0


@each_provider
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_create_that_is_refused_for_what_is_in_it_goes_again_in_halves(
    provider: str, status: int, simulator: Simulator
) -> None:
    simulator.add_fault(
        Fault(kind=FaultKind.STATUS, status=status, operation="batches.create", times=1)
    )
    run = batch_of(provider, simulator).run(wait=True)
    check_all_executed_once(run, simulator)
    assert len(simulator.books.creates("batch")) == 2


def refused_for_money(provider: str) -> ProviderError:
    """Return how a provider says that the account cannot pay."""
    if provider == "anthropic":
        words = "Your credit balance is too low to access the Anthropic API."
        told = {"type": "error", "error": {"type": "invalid_request_error", "message": words}}
        return anthropic_error(400, {}, json.dumps(told).encode())
    told = {"error": {"message": "Over the limit.", "code": "billing_hard_limit_reached"}}
    return openai_error(400, {}, json.dumps(told).encode())


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
@pytest.mark.parametrize("step", ["upload", "create"])
def test_an_account_without_credit_ends_the_run_and_its_jobs_wait(
    provider: str, step: str, simulator: Simulator, tmp_path: Path
) -> None:
    client, state = open_client(provider, simulator), tmp_path / "state.jsonl"
    error = refused_for_money(provider)

    async def refuse(*_given: Any, **_options: Any) -> str:
        raise submission_error(error) if step == "create" else error

    setattr(client, step, refuse)
    with pytest.raises(AuthenticationError, match="no credit left, and its jobs wait"):
        batch_of(provider, simulator, client=client, state_file=state).run(wait=True)
    later = batch_of(provider, simulator, state_file=state).run(wait=True)
    check_all_executed_once(later, simulator)


@each_provider
def test_a_create_that_asks_for_payment_ends_the_run(provider: str, simulator: Simulator) -> None:
    simulator.add_fault(Fault(kind=FaultKind.STATUS, status=402, operation="batches.create"))
    with pytest.raises(AuthenticationError, match="no credit left, and its jobs wait"):
        batch_of(provider, simulator).run(wait=True)


@pytest.mark.parametrize("provider", ["openai", "anthropic", "gemini"])
def test_a_file_that_is_gone_when_it_is_sent_is_named(
    provider: str, simulator: Simulator, tmp_path: Path
) -> None:
    file, client = tmp_path / "notes.txt", open_client(provider, simulator)
    file.write_text("It rained.")
    upload = client.upload

    async def upload_too_late(*given: Any) -> str | None:
        file.unlink()
        return await upload(*given)

    client.upload = upload_too_late  # type: ignore[method-assign]
    batch = empty_batch(provider, simulator, client=client)
    run = batch.add_job("notes", file=file, prompt="What of it?").run(wait=True)
    assert "notes.txt" in (run.results()["notes"].error or "")
    assert run.status().failed == 1
    assert run.status().reserved_usd == 0
    assert not simulator.books.creates("batch")


@each_provider
def test_a_batch_is_found_though_the_list_lags_behind(provider: str, simulator: Simulator) -> None:
    create, lists = "batches.create", "batches.list"
    simulator.add_fault(Fault(kind=FaultKind.DROPPED, operation=create, calls=(1,)))
    simulator.add_fault(Fault(kind=FaultKind.STALE_LIST, operation=lists, seconds=1_000))
    run = batch_of(provider, simulator, orphan_grace_seconds=0.5).run(wait=True)
    check_all_executed_once(run, simulator)


def test_a_chunk_refused_for_tokens_says_why_it_waits(
    simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("batch_llm.batch.chunks.plan._FIRST_WAIT_SECONDS", 3600)
    simulator.set_speed(1_000)
    simulator.set_limits([Limit(provider="openai", enqueued_tokens=50)])
    run = batch_of("openai", simulator, items_per_batch=5).run()
    status = until(run, lambda status: any("did not take it" in why for why in status.waiting))
    assert "nqueued" in "".join(status.waiting)
    assert "nqueued" in whys(status)
    assert status.failed == 0
    assert run.wait()  # as soon as the other one has ended
    check_all_executed_once(run, simulator)


@each_provider
def test_no_more_batches_are_under_way_than_allowed(provider: str, simulator: Simulator) -> None:
    run = batch_of(
        provider, simulator, 24, items_per_batch=2, max_concurrent=3, keep_remote_files=True
    ).run(wait=True)
    check_all_executed_once(run, simulator, 24)
    spans = asyncio.run(spans_at(provider, simulator))
    assert len(spans) == 12
    assert max(sum(start <= moment < end for start, end in spans) for moment, _ in spans) == 3


async def spans_at(provider: str, simulator: Simulator) -> list[tuple[float, float]]:
    """Return from when until when each remote batch was under way, as the provider tells."""
    client = open_client(provider, simulator)
    batches: tuple[RemoteStatus, ...] = (await client._page(None)).batches  # type: ignore[attr-defined]
    await client.aclose()
    return [(each.created_at or 0.0, each.ended_at or 0.0) for each in batches]
