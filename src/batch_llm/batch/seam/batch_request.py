"""A batch of jobs at a provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...base import Job, JobResult
    from .provider import BatchStatus, Provider


class BatchRequest:
    """A batch of jobs that was submitted to a provider. `str()` of it is its id.

    Args:
        id: the provider's id of it.
        provider: who has it.
        jobs: that were submitted.
        status: as far as is known: "pending", "running", "complete" or "failed".
        submitted_at: with its time zone; None is now.
    """

    def __init__(
        self,
        id: str,  # noqa: A002 - the contract's name
        provider: Provider,
        jobs: Iterable[Job] = (),
        status: BatchStatus = "pending",
        submitted_at: datetime | None = None,
    ) -> None:
        self.id = id
        self.provider = provider
        self.jobs = list(jobs)
        self.status: BatchStatus = status
        self.submitted_at = submitted_at or datetime.now(UTC)

    @property
    def is_complete(self) -> bool:
        """Whether nothing more will come, as far as is known."""
        return self.status in ("complete", "failed")

    def get_status(self) -> BatchStatus:
        """Ask the provider how it stands, keep that as `status`, and return it.

        Raises:
            ProviderError: if that cannot be told now; `status` stays what it was.
        """
        if not self.is_complete:
            self.status = cast("BatchStatus", self.provider.get_batch_status(self.id))
        return self.status

    def get_results(self) -> list[JobResult]:
        """Return how its jobs ended, once it is complete.

        Raises:
            ValueError: while it goes on.
            ProviderError: if they cannot be fetched now.
        """
        return self.provider.get_batch_results(self.id)

    def __str__(self) -> str:
        return self.id

    def __repr__(self) -> str:
        return f"BatchRequest({self.id!r}, {self.provider.name}, {len(self.jobs)} jobs)"


def as_batch_request(
    made: BatchRequest | str, provider: Provider, jobs: Iterable[Job]
) -> BatchRequest:
    """Return what `Provider.create_batch` gave, where that is only an id.

    Raises:
        TypeError: if it is none: nothing could be asked after by it.
    """
    given: object = made
    if given is None or not str(given).strip():
        raise TypeError(
            f"{provider.name}.create_batch returned {given!r}, and returns a BatchRequest, or the "
            f"id of one."
        )
    return made if isinstance(made, BatchRequest) else BatchRequest(str(made), provider, jobs)
