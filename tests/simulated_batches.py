"""Batches that ask each of the simulator's providers the same questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.batch_lane import Provider, open_client
from tests.batch_lane import batch_of as batch_of_provider
from tests.integration.killed_batch import MODELS, name_of

if TYPE_CHECKING:
    from batch_llm.batch import Batch, BatchRun
    from batch_llm.providers import BatchClient
    from batch_llm.testing.simulator import Simulator

PROVIDERS: Final = tuple(MODELS)


def empty_batch(
    provider: str, simulator: Simulator, *, client: BatchClient | None = None, **settings: Any
) -> Batch:
    """Return a batch without jobs, of a model of the provider."""
    client = client or open_client(provider, simulator)
    batch = batch_of_provider(Provider(name_of(provider), MODELS[provider]), client, **settings)
    return batch.defaults(max_tokens=50)


def batch_of(provider: str, simulator: Simulator, jobs: int = 10, **settings: Any) -> Batch:
    """Return a batch whose jobs ask "question 0", "question 1" and so on."""
    batch = empty_batch(provider, simulator, **settings)
    for n in range(jobs):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return batch


def told_apart(run: BatchRun) -> dict[str, set[str]]:
    """Return the ids of jobs by their outcomes; each job has one."""
    groups: dict[str, set[str]] = {}
    for job_id, result in run.results().items():
        groups.setdefault(result.outcome, set()).add(job_id)
    return groups
