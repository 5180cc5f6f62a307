"""Which strategy of the live lane calls the model of a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from ..base import LLMCallStrategy, RequestStrategy
from ..base.strategy import takes_requests
from ..exceptions import ConfigurationError, InputError, LaneError
from ..llm_strategies import strategy_by_name
from ..providers.registry import Route, find_route
from .live_bounds import why_unbounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base import Job

Strategy: TypeAlias = RequestStrategy[Any]

GivenStrategies: TypeAlias = Mapping[str, Strategy | Callable[[str], Strategy]]
"""Strategies of the user's own: by the model, as jobs name it, the strategy that calls it; by the
provider, a function that makes one of the model's name."""

OwnRoute: TypeAlias = Callable[[str], Route | None]
"""Tells of a model, as jobs name it, who of the user's own answers it in batches; None where its
built-in strategy asks the same server."""


class LiveStrategies:
    """One strategy for all jobs of a model: what else they differ in stands in their requests.

    Args:
        given: of the user's own. Any other model has the built-in strategy of its provider, with
            the key and the address that are in the environment.
        own_route: tells which models are answered by somebody of the user's own: without a strategy
            that is given they do not go, for another server would get their questions.

    Raises:
        ConfigurationError: for one that takes no requests, and for a provider's that is no
            function.
    """

    def __init__(
        self, given: GivenStrategies | None = None, own_route: OwnRoute | None = None
    ) -> None:
        self._given = dict(given or {})
        self._own_route = own_route or (lambda _: None)
        self._found: dict[str, Strategy] = {}
        for name, one in self._given.items():
            if isinstance(one, LLMCallStrategy):
                _check_takes_requests(one, name)
            elif not callable(one):
                raise ConfigurationError(
                    f"For {name!r}, give a strategy or a function that makes one, not {one!r}."
                )

    def of(self, job: Job) -> Strategy:
        """Return the strategy of a job.

        Raises:
            LaneError: if the job cannot go live.
            ConfigurationError: if its strategy cannot be made: a `MissingKeyError`, say.
        """
        why = _why_not(job)
        if why is not None:
            raise LaneError({job.id: why})
        found = self._found.get(job.model)
        if found is None:
            found = self._found[job.model] = self._made(job)
        return found

    def check(self, jobs: Iterable[Job], *, has_limit: bool = False) -> None:
        """Refuse jobs that cannot go live, all at once; of files the beginning is read at most.

        Args:
            jobs: that may go.
            has_limit: whether calls have to keep a limit in USD.

        Raises:
            LaneError: naming each.
            ConfigurationError: if a strategy cannot be made.
        """
        refused: dict[str, str] = {}
        for job in jobs:
            try:
                strategy = self.of(job)
            except LaneError as error:
                refused |= error.refused
                continue
            if has_limit and (why := _why_unbounded(job, strategy)) is not None:
                refused[job.id] = why
        if refused:
            raise LaneError(refused)

    def _made(self, job: Job) -> Strategy:
        own = self._given.get(job.model)
        if isinstance(own, LLMCallStrategy):
            return own  # pyright: ignore[reportReturnType] - others were refused at the door
        route = self._route(job)
        provider = route.provider
        make = self._given.get(provider)
        if make is None:
            return strategy_by_name(f"{provider}:{route.model}")
        if isinstance(make, LLMCallStrategy):
            raise ConfigurationError(
                f"For the provider {provider!r}, give a function that makes a strategy of a "
                f"model's name; a strategy stands under the name of its model."
            )
        made = make(route.model)
        _check_takes_requests(made, provider)
        return made

    def _route(self, job: Job) -> Route:
        provider, colon, name = job.model.partition(":")
        if colon and name and provider in self._given:
            return Route(provider, name)
        own = self._own_route(job.model)
        if own is not None:
            return self._checked(own, job)
        try:
            return find_route(job.model)
        except ConfigurationError:
            why = f"nothing is known that calls {job.model!r} live. Give a strategy for it."
            raise LaneError({job.id: why}) from None

    def _checked(self, own: Route, job: Job) -> Route:
        if own.provider in self._given:
            return own
        why = (
            f"{job.model!r} goes to a client or a provider of your own, {own.provider!r}: name its "
            f"strategy with live_lane(strategies=…)."
        )
        raise LaneError({job.id: why})


def _why_not(job: Job) -> str | None:
    if job.text is not None:
        return "it embeds a text, and the live lane has no embeddings."
    if job.enable_citations:
        return "it asks for citations, and the live lane returns answers without them."
    return None


def _why_unbounded(job: Job, strategy: Strategy) -> str | None:
    try:
        return why_unbounded(job, strategy)
    except InputError:
        return None  # its file is gone: it fails when it is sent, in either lane


def _check_takes_requests(strategy: object, name: str) -> None:
    if not (isinstance(strategy, LLMCallStrategy) and takes_requests(strategy)):
        raise ConfigurationError(
            f"What is given for {name!r} has to be a strategy that takes an LLMRequest, as all "
            f"built-in ones do, and no {type(strategy).__name__}."
        )
