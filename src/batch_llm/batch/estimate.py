"""What a batch would cost, before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..providers import registry
from .drafts import drafts_of
from .job_book import JobBook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..base import Job
    from ..providers import BatchClient


@dataclass(slots=True)
class ModelEstimate:
    """What the jobs of one model would be.

    Attributes:
        jobs: of the model.
        batches: remote batches that they make.
        most_input_tokens: that they can have together: a bound, not a guess.
        most_usd: what they can cost together; None where nothing bounds it or no price is known.
    """

    jobs: int = 0
    batches: int = 0
    most_input_tokens: int = 0
    most_usd: float | None = 0.0


@dataclass(slots=True)
class BatchEstimate:
    """What a batch would cost at the most, at the prices of Batch APIs.

    Attributes:
        models: by "PROVIDER:MODEL".
        refused: why jobs cannot be sent, by id.
        refused_rows: rows of which no job could be made.
    """

    models: dict[str, ModelEstimate] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    refused_rows: int = 0

    @property
    def jobs(self) -> int:
        """Jobs that can be sent."""
        return sum(each.jobs for each in self.models.values())

    @property
    def most_usd(self) -> float | None:
        """What all can cost together; None where that of one model is not known."""
        known = [each.most_usd for each in self.models.values() if each.most_usd is not None]
        return sum(known) if len(known) == len(self.models) else None


def estimate(
    jobs: Sequence[Job],
    clients: Mapping[str, BatchClient],
    items_per_batch: int | None = None,
    refused_rows: int = 0,
) -> BatchEstimate:
    """Return what jobs would cost; nothing is sent, and files are read.

    Raises:
        ConfigurationError: for a model that no provider is known for, or a client that cannot be
            made.
    """
    found, opened = BatchEstimate(refused_rows=refused_rows), dict(clients)

    def client(provider: str) -> BatchClient:
        if provider not in opened:
            opened[provider] = registry.open_client(provider)
        return opened[provider]

    book, refuse = JobBook(jobs, None, clients), found.refused.__setitem__
    for draft in drafts_of([job.id for job in jobs], book, client, refuse, items_per_batch):
        chunk, most = draft.chunk, draft.reserved_usd
        name = f"{chunk.provider}:{chunk.model}"
        model = found.models.setdefault(name, ModelEstimate())
        model.jobs += len(chunk.job_ids)
        model.batches += 1
        model.most_input_tokens += draft.most_input_tokens
        known = None if model.most_usd is None or most is None else model.most_usd + most
        model.most_usd = known
    return found
