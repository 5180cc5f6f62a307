"""What is known of the models of jobs before the run begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...exceptions import ConfigurationError, JobError
from ...providers.job_checks import abilities_for, check_job
from ..seam.clients import own_route, route_of_given
from ..seam.provider_registry import ProviderRegistry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...base import Job
    from ...providers import BatchClient
    from ...providers.abilities import Abilities
    from ...providers.registry import Route
    from ..seam.provider import Provider


class KnownModels:
    """Tells what models can do: whoever answers a model has the say.

    That is a client of the user's own, else a provider that the user has registered, else the
    built-in one of the model.

    Args:
        clients: the user's own, by the names of their providers.
    """

    def __init__(self, clients: Mapping[str, BatchClient]) -> None:
        self._clients = clients

    def abilities_of(self, model: object) -> Abilities | None:
        """Return what a model can do; None where nobody can tell before the run."""
        if not isinstance(model, str):
            return None
        provider = self._registered_for(model)
        if provider is not None:
            return provider.abilities(model)
        try:
            return abilities_for(model, self._clients)
        except ConfigurationError:
            return None

    def own_route(self, model: str) -> Route | None:
        """Return where a model goes: as the function `own_route`."""
        return own_route(model, self._clients)

    def check(self, job: Job) -> None:
        """Refuse a job that its model cannot do.

        Raises:
            JobError: naming the job and the field.
        """
        provider = self._registered_for(job.model)
        if provider is not None:
            _check_with(provider, job)
            return
        try:
            able = abilities_for(job.model, self._clients)
        except ConfigurationError:
            _check_is_found(job)
            return
        if able is not None:
            check_job(job, able)

    def _registered_for(self, model: str) -> Provider | None:
        """Return the provider that the user has registered for a model, if there is one."""
        is_given = route_of_given(model, self._clients) is not None
        return None if is_given else ProviderRegistry.registered_for(model)


def _check_with(provider: Provider, job: Job) -> None:
    try:
        provider.validate_job(job)
    except JobError:
        raise
    except ValueError as error:
        why = f"Job {job.id!r}: {provider.name} does not take it: {error}"
        raise JobError(why, job_id=job.id, field="model") from error


def _check_is_found(job: Job) -> None:
    """Refuse a model that the registry does not find a provider for."""
    try:
        ProviderRegistry.get_provider(job.model)
    except ConfigurationError as error:
        if ":" in job.model:
            return  # a provider of that name may be registered before the run
        raise JobError(f"Job {job.id!r}: {error}", job_id=job.id, field="model") from None
