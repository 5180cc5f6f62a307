"""Results in which a provider says several things of one job, or what cannot be read."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.batch import Batch
from batch_llm.exceptions import MalformedAnswerError, ServerError
from batch_llm.providers import MockBatchClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from batch_llm.batch import BatchRun
    from batch_llm.wire.batch_item import BatchAnswer

TWICE = "say different things of 1 of its jobs ('job 1')"


class Rewritten(MockBatchClient):
    """Gives other results than there were; its answers are priced as OpenAI's."""

    provider = "openai"

    def __init__(self, rewrite: Callable[[list[BatchAnswer]], list[BatchAnswer]]) -> None:
        super().__init__(lambda line: f"answer to {line.custom_id}")
        self._rewrite = rewrite

    async def collect(self, *args: Any, **more: Any) -> AsyncIterator[BatchAnswer]:
        answers = [answer async for answer in super().collect(*args, **more)]
        for answer in self._rewrite(answers):
            yield answer


def failed(answer: BatchAnswer) -> BatchAnswer:
    error = ServerError("It broke.", status_code=500)
    return replace(answer, outcome="errored", text=None, usage=None, error=error, raw=b"broke")


def run_of(client: MockBatchClient, jobs: int = 3, **settings: Any) -> BatchRun:
    batch = Batch(
        clients={"openai": client},
        poll_interval_seconds=0.01,
        orphan_grace_seconds=0.05,
        **settings,
    ).defaults(model="openai:gpt-4.1-nano", max_tokens=9)
    for n in range(jobs):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return batch.run()


def is_job_1(answer: BatchAnswer) -> bool:
    return answer.custom_id == "job 1"


def with_failure_first(answers: list[BatchAnswer]) -> list[BatchAnswer]:
    return [failed(next(filter(is_job_1, answers))), *answers]


def with_failure_last(answers: list[BatchAnswer]) -> list[BatchAnswer]:
    return [*answers, failed(next(filter(is_job_1, answers)))]


@pytest.mark.parametrize("rewrite", [with_failure_first, with_failure_last])
@pytest.mark.parametrize("jobs", [3, 1200], ids=["in one group", "far apart"])
async def test_an_answer_counts_before_a_failure_of_the_same_job(
    rewrite: Callable[[list[BatchAnswer]], list[BatchAnswer]],
    jobs: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    run = run_of(Rewritten(rewrite), jobs, results_dir=tmp_path / "out")
    streamed = [result.job_id async for result in run.stream()]
    assert sorted(streamed) == sorted(f"job {n}" for n in range(jobs))
    results = run.results()
    assert results["job 1"].response == "answer to job 1"
    kept = [json.loads(file.read_text()) for file in (tmp_path / "out").glob("*.json")]
    assert {each["response"] for each in kept if each["job_id"] == "job 1"} == {"answer to job 1"}
    assert run.status().succeeded == jobs
    assert run.status().cost_usd == pytest.approx(sum(each.cost_usd for each in results.values()))
    assert TWICE in caplog.text


def test_answers_count_before_however_many_failures_come_first() -> None:
    run = run_of(Rewritten(lambda answers: [*map(failed, answers), *answers]), 1200)
    run.wait()
    assert run.status().succeeded == 1200


def test_of_two_answers_the_first_counts_and_both_are_taken_as_billed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def twice(answers: list[BatchAnswer]) -> list[BatchAnswer]:
        other = replace(next(filter(is_job_1, answers)), text="another", raw=b"another")
        return [*answers, other]

    run = run_of(Rewritten(twice))
    run.wait()
    results = run.results()
    assert results["job 1"].response == "answer to job 1"
    costs = [each.cost_usd or 0.0 for each in results.values()]
    assert all(costs)
    assert run.status().cost_usd == pytest.approx(sum(costs) + (results["job 1"].cost_usd or 0.0))
    assert TWICE in caplog.text


def test_a_line_that_stands_twice_is_one_answer(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    run = run_of(Rewritten(lambda answers: answers + answers))
    run.wait()
    costs = [each.cost_usd or 0.0 for each in run.results().values()]
    assert run.status().cost_usd == pytest.approx(sum(costs))
    assert not caplog.messages


def test_results_that_cannot_be_read_stay_at_the_provider() -> None:
    def unreadable(answers: list[BatchAnswer]) -> list[BatchAnswer]:
        error = MalformedAnswerError("The answer is not a chat completion.")
        return [replace(answers[0], outcome="errored", text=None, error=error), *answers[1:]]

    client = Rewritten(unreadable)
    run = run_of(client)
    run.wait()
    assert (run.status().succeeded, run.status().failed) == (2, 1)
    (batch,) = client.batches.values()
    assert not any("results" in name or "output" in name for name in batch.deleted)
    whole = Rewritten(list)
    run_of(whole).wait()
    (batch,) = whole.batches.values()
    assert batch.deleted, "results that were read are deleted"
