"""A provider of the user's own, through a run: to its end, and on after a crash."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from batch_llm import Batch, BatchRequest, Job, JobResult, Provider, ProviderRegistry
from batch_llm.exceptions import (
    AuthenticationError,
    ConfigurationError,
    JobError,
    ProviderError,
    ServerError,
    SubmissionError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path


class Shop(Provider):
    """Has the six methods, and nothing else. Its world outlives it, as a server's would."""

    def __init__(self, world: dict[str, list[Job]]) -> None:
        self.world = world
        self.asked: list[str] = []

    def validate_job(self, job: Job) -> None:
        if job.prompt == "no":
            raise ValueError("it says no")

    def create_batch(self, jobs: list[Job]) -> BatchRequest | str:
        name = f"batch-{len(self.world)}"
        self.world[name] = list(jobs)
        return name

    def get_batch_status(self, batch_id: str) -> str:
        self.asked.append(batch_id)
        return "complete" if len(self.asked) > 2 else "running"

    def get_batch_results(self, batch_id: str) -> list[JobResult]:
        return [
            JobResult(job.id, (job.prompt or "").upper(), cost_usd=0.25)
            for job in reversed(self.world[batch_id])
        ]

    def cancel_batch(self, batch_id: str) -> bool:
        return False

    def estimate_cost(self, jobs: list[Job]) -> float:
        return 0.5 * len(jobs)


class FindingShop(Shop):
    """Can tell which batches it has, too."""

    def find_batch(self, job_ids: Sequence[str], submitted_after: datetime) -> str | None:
        assert submitted_after.tzinfo is not None
        for name, jobs in self.world.items():
            if [job.id for job in jobs] == list(job_ids):
                return name
        return None


@pytest.fixture
def world() -> dict[str, list[Job]]:
    return {}


@pytest.fixture(autouse=True)
def as_new() -> Iterator[None]:
    yield
    for name in ("Shop", "FindingShop", "Breaking"):
        ProviderRegistry.unregister(name)


def batch_for(
    provider: Provider, jobs: int = 4, state_file: Path | None = None, max_concurrent: int = 10
) -> Batch:
    """Return a batch whose model is registered: it is found by that alone."""
    ProviderRegistry.register(provider)
    batch = Batch(
        state_file,
        max_concurrent=max_concurrent,
        poll_interval_seconds=0.001,
        orphan_grace_seconds=0.01,
        items_per_batch=2,
    ).defaults(model=f"{provider.name}:a-model")
    for number in range(jobs):
        batch.add_job(f"job {number}", prompt=f"question {number}")
    return batch


def test_the_six_methods_are_enough(world: dict[str, list[Job]]) -> None:
    run = batch_for(Shop(world)).add_cost_limit(usd=10).run(wait=True)
    assert {job_id: each.response for job_id, each in run.results().items()} == {
        f"job {n}": f"QUESTION {n}" for n in range(4)
    }
    assert run.status().cost_usd == 1.0
    assert [len(jobs) for jobs in world.values()] == [2, 2]


def test_its_methods_are_called_off_the_loop(world: dict[str, list[Job]]) -> None:
    threads = set()

    class Breaking(Shop):
        def get_batch_status(self, batch_id: str) -> str:
            threads.add(threading.current_thread().name)
            return super().get_batch_status(batch_id)

    batch_for(Breaking(world)).run(wait=True)
    assert "batch-run" not in threads


def test_its_estimate_keeps_a_limit(world: dict[str, list[Job]]) -> None:
    run = batch_for(Shop(world)).add_cost_limit(usd=0.75).run(wait=True)
    # One job may cost 0.5 and costs 0.25: a second one fits then, and no third.
    assert run.status().succeeded == 2
    assert run.status().cost_usd <= 0.75
    assert run.status().pending == 2


@pytest.mark.parametrize("made", [None, "", " "])
def test_a_create_that_names_no_batch_ends_the_run_and_its_batch_is_found_later(
    world: dict[str, list[Job]], tmp_path: Path, made: Any
) -> None:
    class Silent(FindingShop):
        is_mended = False

        def create_batch(self, jobs: list[Job]) -> BatchRequest | str:
            name = super().create_batch(jobs)
            return name if self.is_mended else made

    with pytest.raises(TypeError, match=r"Silent\.create_batch returned .* or the id of one"):
        batch_for(Silent(world), 2, tmp_path / "state").run().wait(20)
    Silent.is_mended = True
    again = batch_for(Silent(world), 2, tmp_path / "state").run(wait=True)
    assert again.status().succeeded == 2
    assert len(world) == 1, "nothing is sent twice"


def test_an_estimate_that_fails_is_refused_under_a_limit(world: dict[str, list[Job]]) -> None:
    class Breaking(Shop):
        def estimate_cost(self, jobs: list[Job]) -> float:
            raise ValueError("no price")

    run = batch_for(Breaking(world)).add_cost_limit(usd=1_000).run(wait=True)
    assert world == {}
    assert "no price" in (run.status().stopped_because or "")
    assert batch_for(Breaking(world)).run(wait=True).status().succeeded == 4


@pytest.mark.parametrize("told", [-5, math.nan, math.inf, None, "much", "3", True, [0.5]])
def test_an_estimate_that_is_no_amount_is_refused_under_a_limit(
    world: dict[str, list[Job]], told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaking(Shop):
        def estimate_cost(self, jobs: list[Job]) -> float:
            return told  # type: ignore[no-any-return]

    run = batch_for(Breaking(world)).add_cost_limit(usd=1_000).run(wait=True)
    assert world == {}
    assert "no price" in (run.status().stopped_because or "")
    warned = [each for each in caplog.messages if "Breaking.estimate_cost returned" in each]
    assert len(warned) == 1, "once, and not for every job"
    assert batch_for(Breaking(world)).run(wait=True).status().succeeded == 4


@pytest.mark.parametrize("told", [-3, math.nan, math.inf, "much", "0.25", True])
def test_a_cost_that_is_no_amount_is_unknown(
    world: dict[str, list[Job]], tmp_path: Path, told: Any, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaking(Shop):
        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            return [replace(each, cost_usd=told) for each in super().get_batch_results(batch_id)]

    # Of the limit, what was reserved stays held: it makes no room.
    run = batch_for(Breaking(world), 4, tmp_path / "state").add_cost_limit(usd=1).run(wait=True)
    assert (run.status().succeeded, run.status().pending) == (2, 2)
    assert (run.status().cost_usd, run.status().reserved_usd) == (0, 1)
    assert [each.cost_usd for each in run.results().values()] == [None, None]
    assert "is no amount" in caplog.text
    # The state can still be read, and goes on.
    again = batch_for(Breaking(world), 4, tmp_path / "state").run(wait=True)
    assert (again.status().succeeded, again.status().cost_usd) == (4, 0)


@pytest.mark.parametrize("estimate", [0.0, 0.125])
def test_after_an_overrun_nothing_goes_under_a_limit(
    world: dict[str, list[Job]], tmp_path: Path, estimate: float, caplog: pytest.LogCaptureFixture
) -> None:
    class Breaking(Shop):
        def estimate_cost(self, jobs: list[Job]) -> float:
            return estimate * len(jobs)

    def batch(usd: float = 10) -> Batch:
        found = batch_for(Breaking(world), 6, tmp_path / "state", max_concurrent=1)
        return found.add_cost_limit(usd=usd)

    # One batch of two jobs costs 0.5, and is known to be dearer than its estimate.
    first = batch().run(wait=True).status()
    assert (first.succeeded, first.pending, first.cost_usd) == (2, 4, 0.5)
    why = "a batch of Breaking:a-model cost 0.500 USD, more than the"
    assert why in (first.stopped_because or "")
    assert "Nothing more is sent under the limit" in caplog.text
    # The next start knows it by the state, whatever the limit is by then.
    again = batch(usd=100).run(wait=True).status()
    assert (again.succeeded, again.overruns, len(world)) == (2, 1, 1)
    assert why in (again.stopped_because or "")
    without = batch_for(Breaking(world), 6, tmp_path / "state").run(wait=True)
    assert without.status().succeeded == 6


def test_results_may_come_one_by_one(world: dict[str, list[Job]]) -> None:
    class Breaking(Shop):
        def get_batch_results(self, batch_id: str) -> Any:
            yield from super().get_batch_results(batch_id)

    run = batch_for(Breaking(world)).run(wait=True)
    assert run.results()["job 0"].response == "QUESTION 0"
    assert run.status().succeeded == 4


def test_a_job_that_it_does_not_take_is_refused_at_once(world: dict[str, list[Job]]) -> None:
    with pytest.raises(JobError, match="'bad': Shop does not take it: it says no"):
        batch_for(Shop(world)).add_job("bad", prompt="no")


def test_a_job_that_it_does_not_take_later_fails_alone(world: dict[str, list[Job]]) -> None:
    with mock.patch.object(ProviderRegistry, "get_provider", return_value=Shop(world)):
        batch = Batch(poll_interval_seconds=0.001).defaults(model="any")
        batch.add_job("a", prompt="x").add_job("b", prompt="y").add_job("bad", prompt="no")
        run = batch.run(wait=True)
    assert "it says no" in (run.results()["bad"].error or "")
    assert run.status().succeeded == 2


@pytest.mark.parametrize("error", [ServerError("503", status_code=503), OSError("broken pipe")])
def test_a_poll_that_fails_is_none_of_the_batch(
    world: dict[str, list[Job]], error: Exception
) -> None:
    provider = Shop(world)
    original, failures = provider.get_batch_status, [error, error]

    def failing(batch_id: str) -> str:
        if failures:
            raise failures.pop()
        return original(batch_id)

    with mock.patch.object(provider, "get_batch_status", failing):
        run = batch_for(provider).run(wait=True)
    assert run.status().succeeded == 4


def test_missing_results_have_failed(world: dict[str, list[Job]]) -> None:
    class Breaking(Shop):
        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            return super().get_batch_results(batch_id)[1:]

    results = batch_for(Breaking(world)).run(wait=True).results()
    assert len(results) == 4
    assert sum(result.is_success for result in results.values()) == 2


def test_results_of_strangers_are_no_jobs(
    world: dict[str, list[Job]], caplog: pytest.LogCaptureFixture
) -> None:
    class Breaking(Shop):
        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            first, second = super().get_batch_results(batch_id)
            return [first, first, JobResult("stranger", second.response)]

    run = batch_for(Breaking(world), 2).run(wait=True)
    results = run.results()
    assert results["job 1"].response == "QUESTION 1"
    assert "name no job of this batch" in (results["job 0"].error or "")
    assert run.status().succeeded == 1


@pytest.mark.parametrize("is_asked_for", [True, False])
def test_what_it_was_sent_is_kept_where_that_is_asked_for(
    world: dict[str, list[Job]], is_asked_for: bool
) -> None:
    class Breaking(Shop):
        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            return [
                JobResult(job.id, "yes", cost_usd=0.0, raw_response={"said": "yes"})
                for job in self.world[batch_id]
            ]

    run = batch_for(Breaking(world), 1).save_raw_responses(is_asked_for).run(wait=True)
    assert run.results()["job 0"].raw_response == ({"said": "yes"} if is_asked_for else None)


def test_a_batch_that_failed_says_why(world: dict[str, list[Job]]) -> None:
    class Breaking(Shop):
        def get_batch_status(self, batch_id: str) -> str:
            return "failed"

        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            raise RuntimeError("the machine burned")

    run = batch_for(Breaking(world)).run(wait=True)
    assert run.status().failed == 4
    assert all("the machine burned" in (each.error or "") for each in run.results().values())


def test_a_word_that_is_no_status_ends_the_run(world: dict[str, list[Job]]) -> None:
    class Breaking(Shop):
        def get_batch_status(self, batch_id: str) -> str:
            return "wonderful"

    with pytest.raises(ConfigurationError, match="'wonderful'"):
        batch_for(Breaking(world)).run(wait=True)


def test_results_that_are_none_end_the_run(world: dict[str, list[Job]]) -> None:
    class Breaking(Shop):
        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            return [{"job_id": "job 0"}]  # type: ignore[list-item]

    with pytest.raises(TypeError, match="one was a dict"):
        batch_for(Breaking(world)).run(wait=True)


# -- creates that fail


@pytest.mark.parametrize("error", [ValueError("too many"), ConfigurationError("no key")])
def test_jobs_that_it_refuses_have_failed(world: dict[str, list[Job]], error: Exception) -> None:
    provider = Shop(world)
    with mock.patch.object(provider, "create_batch", side_effect=error):
        run = batch_for(provider).run(wait=True)
    assert {each.error_category for each in run.results().values()} == {"submission_refused"}
    assert all(str(error) in (each.error or "") for each in run.results().values())
    assert run.status().cost_usd == 0


def test_a_refused_key_ends_the_run_and_submits_nothing(world: dict[str, list[Job]]) -> None:
    provider = Shop(world)
    refusal = AuthenticationError("bad key", status_code=401)
    with mock.patch.object(provider, "create_batch", side_effect=refusal):
        with pytest.raises(AuthenticationError, match="bad key"):
            batch_for(provider).run(wait=True)
    assert world == {}


class LosingShop(Shop):
    """Takes the batch, and fails before it says so: the first time."""

    name = "Breaking"
    error: Exception = RuntimeError("cut off")

    def create_batch(self, jobs: list[Job]) -> BatchRequest | str:
        made = super().create_batch(jobs)
        if len(self.world) == 1:
            raise self.error
        return made


class LosingAndFindingShop(LosingShop, FindingShop):
    """Can tell afterwards."""

    name = "Breaking"


LOST = [
    RuntimeError("cut off"),
    ProviderError("who knows"),
    SubmissionError("lost", "accepted"),
    UnicodeDecodeError("utf-8", b"x", 0, 1, "a ValueError after the create"),
]


@pytest.mark.parametrize("error", LOST, ids=lambda error: type(error).__name__)
def test_what_may_have_been_taken_is_not_submitted_again(
    world: dict[str, list[Job]], tmp_path: Path, error: Exception
) -> None:
    provider, state = LosingShop(world), tmp_path / "state.jsonl"
    provider.error = error
    run = batch_for(provider, state_file=state).run(wait=True)
    assert run.status().succeeded == 2
    reason = run.status().stopped_because or ""
    assert "'job 0'" in reason
    assert "find_batch()" in reason
    again = batch_for(provider, state_file=state).run(wait=True)
    assert again.status().stopped_because == reason
    assert again.status().in_flight == 2
    assert len(world) == 2


def test_what_can_be_found_is_adopted(world: dict[str, list[Job]], tmp_path: Path) -> None:
    state = tmp_path / "state.jsonl"
    batch_for(LosingShop(world), state_file=state).run(wait=True)
    later = batch_for(LosingAndFindingShop(world), state_file=state).run(wait=True)
    assert later.status().succeeded == 4
    assert len(world) == 2


def test_what_is_surely_not_there_goes_again(world: dict[str, list[Job]]) -> None:
    provider = FindingShop(world)
    original, failures = provider.create_batch, [OSError("broken pipe")]

    def failing(jobs: list[Job]) -> BatchRequest | str:
        if failures:
            raise failures.pop()
        return original(jobs)

    with mock.patch.object(provider, "create_batch", failing):
        run = batch_for(provider).run(wait=True)
    assert run.status().succeeded == 4
    assert len(world) == 2


@pytest.mark.parametrize("step", ["get_batch_status", "get_batch_results"])
def test_a_crash_after_the_create_submits_nothing_twice(
    world: dict[str, list[Job]], tmp_path: Path, step: str
) -> None:
    provider, state = Shop(world), tmp_path / "state.jsonl"
    with mock.patch.object(provider, step, side_effect=TypeError("a defect")):
        with pytest.raises(TypeError, match="a defect"):
            batch_for(provider, state_file=state).run(wait=True)
    later = batch_for(provider, state_file=state).run(wait=True)
    assert later.status().succeeded == 4
    assert [len(jobs) for jobs in world.values()] == [2, 2]


def test_a_state_alone_finds_its_provider_again(
    world: dict[str, list[Job]], tmp_path: Path
) -> None:
    provider, state = Shop(world), tmp_path / "state.jsonl"
    with mock.patch.object(provider, "get_batch_status", side_effect=TypeError("a defect")):
        with pytest.raises(TypeError, match="a defect"):
            batch_for(provider, state_file=state).run(wait=True)
    later = batch_for(provider, 0, state_file=state).run(wait=True)
    assert later.status().succeeded == 4


def test_a_provider_that_is_gone_is_named(world: dict[str, list[Job]], tmp_path: Path) -> None:
    provider, state = Shop(world), tmp_path / "state.jsonl"
    with mock.patch.object(provider, "get_batch_status", side_effect=TypeError("a defect")):
        with pytest.raises(TypeError, match="a defect"):
            batch_for(provider, state_file=state).run(wait=True)
    ProviderRegistry.unregister("Shop")
    with pytest.raises(ConfigurationError, match="Shop:a-model"):
        Batch(state).run(wait=True)


def test_a_cancelled_run_asks_it(world: dict[str, list[Job]]) -> None:
    cancelled = threading.Event()

    class Breaking(Shop):
        def get_batch_status(self, batch_id: str) -> str:
            return "complete" if cancelled.is_set() else "pending"

        def cancel_batch(self, batch_id: str) -> bool:
            cancelled.set()
            return True

        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            return []

    run = batch_for(Breaking(world), 2).run()
    while not any(each["state"] == "created" for each in run.status().batches):
        pass
    run.cancel()
    assert {result.outcome for result in run.results().values()} == {"cancelled"}


def test_failed_jobs_run_again(world: dict[str, list[Job]]) -> None:
    class Breaking(Shop):
        def get_batch_results(self, batch_id: str) -> list[JobResult]:
            if batch_id == "batch-0":
                return [JobResult(job.id, error="no", cost_usd=0.0) for job in self.world[batch_id]]
            return super().get_batch_results(batch_id)

    run = batch_for(Breaking(world)).run(wait=True)
    assert run.status().failed == 2
    assert run.retry_failed().wait()
    assert run.status().succeeded == 4
