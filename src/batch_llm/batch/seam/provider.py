"""What answers jobs in batches, as its user sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ...base import Job, JobResult, ModelConfig
    from ...providers import BatchClient
    from ...providers.abilities import Abilities
    from .batch_request import BatchRequest

BatchStatus: TypeAlias = Literal["pending", "running", "complete", "failed"]
"""How a batch stands at a provider."""


class Provider(ABC):
    """Answers jobs in batches. Its methods block, and may be called from any thread.

    `Batch` runs jobs through any provider that `ProviderRegistry` finds for their model, one of
    your own too: the six abstract methods are enough. A run then keeps what it has submitted in
    its state file, as with the others. Only one thing a state file cannot tell: whether a
    `create_batch` that was cut short has reached the provider. Where `find_batch` is there, it is
    asked; where it is not, the run ends and says so. It never submits such jobs a second time.

    Attributes:
        name: of the provider, in states and errors; by default the name of the class.
        models: what it answers, by name; by default none, and it is found by its name alone:
            "NAME:MODEL".
    """

    name: str
    models: dict[str, ModelConfig]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "name" not in cls.__dict__:
            cls.name = cls.__name__
        if not hasattr(cls, "models"):
            cls.models = {}

    @abstractmethod
    def validate_job(self, job: Job) -> None:
        """Refuse a job that this provider, or the job's model, cannot answer.

        Raises:
            ValueError: that says why. Those of this package are `InputError` and
                `ConfigurationError`, which are ValueErrors too.
        """

    @abstractmethod
    def create_batch(self, jobs: list[Job]) -> BatchRequest | str:
        """Submit jobs as one batch. It is called once for a batch, whatever comes.

        Returns:
            The batch, or its id.

        Raises:
            ValueError: if the jobs cannot be answered; nothing was submitted.
            ProviderError: if the batch could not be submitted. A `SubmissionError` says whether
                the provider may have taken it all the same; without one, it may.
        """

    @abstractmethod
    def get_batch_status(self, batch_id: str) -> str:
        """Return how a batch stands: "pending", "running", "complete" or "failed".

        Raises:
            ProviderError: if that cannot be told now; it says nothing of the batch.
        """

    @abstractmethod
    def get_batch_results(self, batch_id: str) -> list[JobResult]:
        """Return how the jobs of a batch ended that is complete, in any order.

        A `cost_usd` that is None, or no amount from 0 up, is not known: what was reserved for the
        batch stays held.

        Raises:
            ProviderError: if they cannot be fetched now.
        """

    @abstractmethod
    def cancel_batch(self, batch_id: str) -> bool:
        """Have a batch stop; return whether it will. What is done by then stays.

        Raises:
            ProviderError: if the provider cannot be told.
        """

    @abstractmethod
    def estimate_cost(self, jobs: list[Job]) -> float:
        """Return the most that jobs can cost, in USD.

        A run with a limit in USD does not submit jobs of which that is not known; what is no
        amount from 0 up counts as that.

        Raises:
            ValueError: if that is not known.
        """

    def find_batch(self, job_ids: Sequence[str], submitted_after: datetime) -> str | None:
        """Return the id of the batch of exactly these jobs; None where there surely is none.

        It is asked for after a crash, and where `create_batch` failed and may have submitted.

        Args:
            job_ids: of the jobs, in their order.
            submitted_after: when it was about to be submitted, with its time zone.

        Raises:
            NotImplementedError: where this provider cannot tell, as by default.
            ProviderError: if it cannot tell now.
        """
        raise NotImplementedError

    def abilities(self, model: str) -> Abilities | None:
        """Return what a model can do, so that a run leaves out defaults that it does not take.

        None, as by default, changes no job.
        """
        return None

    def model_name(self, model: str) -> str:
        """Return how the provider itself calls the model of a job; by default the same."""
        return model

    def open_client(self) -> BatchClient:
        """Return what a run speaks to; by default it calls this object's methods in threads."""
        from .provider_client import ProviderClient

        return ProviderClient(self)
