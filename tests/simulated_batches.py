"""Batches of the simulator's providers, as tests make them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.integration.killed_batch import MODELS, Order, client_of, name_of

from batch_llm.batch import Batch

if TYPE_CHECKING:
    from batch_llm.batch import BatchRun
    from batch_llm.providers import BatchClient
    from batch_llm.testing.simulator import Simulator

PROVIDERS: Final = tuple(MODELS)
KEY: Final = "a-key"


def base_url_of(provider: str, simulator: Simulator) -> str:
    """Return where a provider of `PROVIDERS` is."""
    urls = {"openai": simulator.openai_base_url, "anthropic": simulator.anthropic_base_url}
    return urls.get(provider, simulator.gemini_base_url)


def open_client(provider: str, simulator: Simulator) -> BatchClient:
    """Return a client of a provider of `PROVIDERS`; it is quick to try again."""
    return client_of(Order(provider, base_url_of(provider, simulator), KEY, ""))


def empty_batch(
    provider: str, simulator: Simulator, *, client: BatchClient | None = None, **settings: Any
) -> Batch:
    """Return a batch without jobs, of a model of the provider."""
    given = {"poll_interval_seconds": 0.01, "orphan_grace_seconds": 0.05, **settings}
    clients = {name_of(provider): client or open_client(provider, simulator)}
    batch = Batch(clients=clients, **given)
    return batch.defaults(model=MODELS[provider], max_tokens=50)


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
