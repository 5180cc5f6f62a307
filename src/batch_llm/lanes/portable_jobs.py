"""Work items of the live lane as jobs of a batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import Job, LLMRequest, LLMWorkItem
from ..base.chat_messages import chat_dicts
from ..exceptions import BatchLLMError, ConfigurationError, InputError, LaneError
from ..providers.registry import find_route

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from ..base import LLMCallStrategy
    from ..base.strategy import PortableRequest


def jobs_of(
    items: Iterable[LLMWorkItem[Any, Any, Any]], own_providers: Collection[str] = ()
) -> list[Job]:
    """Return the jobs that ask what the items ask, under the same ids.

    An item whose context is the job that it was made of, and which asks the same still, gives back
    that job. Of any other, prompt and settings stand in the job as its strategy would send them.

    Args:
        items: of strategies that send one `LLMRequest` to one model.
        own_providers: for which the batch has clients of its own; then it does not matter to
            which address the strategy goes.

    Raises:
        LaneError: naming each item that cannot be one job: an agent, a strategy of yours, an
            escalation, a pool.
        ConfigurationError: for what is no work item.
    """
    jobs, refused = list[Job](), dict[str, str]()
    for number, item in enumerate(items, 1):
        _refuse_other(number, item)
        try:
            jobs.append(_job_of(item, own_providers))
        except (ConfigurationError, InputError) as error:
            refused[item.item_id] = str(error)
    if refused:
        raise LaneError(refused)
    return jobs


def _refuse_other(number: int, item: object) -> None:
    if not isinstance(item, LLMWorkItem):
        raise ConfigurationError(
            f"A batch takes work items (LLMWorkItem) of the live lane; number {number} of them is "
            f"of type {type(item).__name__}. Batch.add_job makes a job of anything else."
        )


def _job_of(item: LLMWorkItem[Any, Any, Any], own_providers: Collection[str]) -> Job:
    strategy = item.strategy
    _refuse_silent_subclass(strategy)
    asked = strategy.portable_request(item.prompt)
    if not asked.is_at_the_providers and asked.provider not in own_providers:
        raise ConfigurationError(
            f"its strategy goes to an address of its own. Give the batch a client for it: "
            f"clients={{{asked.provider!r}: …}}."
        )
    known = item.context
    if isinstance(known, Job) and known.id == item.item_id and _asks(known, strategy, asked):
        return known
    return _new_job(item.item_id, asked)


def _asks(job: Job, strategy: LLMCallStrategy[Any], asked: PortableRequest) -> bool:
    """Return whether a job asks the same of the same model."""
    try:
        route = find_route(job.model)
        same_model = (route.provider, route.model) == (asked.provider, asked.model)
        return same_model and strategy.portable_request(job.to_request()) == asked
    except BatchLLMError:  # its file is gone, or its model is none of a provider's
        return False


def _new_job(job_id: str, asked: PortableRequest) -> Job:
    request = asked.request
    schema = request.output_schema
    prompt = _prompt_of(request)
    return Job(
        job_id,
        None if prompt is not None else chat_dicts(request.messages),
        prompt=prompt,
        model=_model_name(asked),
        temperature=request.temperature,
        max_tokens=request.max_output_tokens,
        response_model=None if schema is None else schema.source,
        enable_citations=request.citations,
        system=request.system,
        top_p=request.top_p,
        stop=request.stop,
        seed=request.seed,
    )


def _prompt_of(request: LLMRequest) -> str | None:
    """Return the text of a request that is one question; None for a conversation."""
    first, *others = request.messages
    is_question = not others and first.role == "user" and isinstance(first.content, str)
    return str(first.content) if is_question else None


def _model_name(asked: PortableRequest) -> str:
    """Return the model as jobs name it: with its provider where that is not told by the name."""
    named = f"{asked.provider}:{asked.model}"
    try:
        route = find_route(asked.model)
    except ConfigurationError:
        return named
    is_told = (route.provider, route.model) == (asked.provider, asked.model)
    return asked.model if is_told else named


def _refuse_silent_subclass(strategy: LLMCallStrategy[Any]) -> None:
    """Refuse a class that may send more than the one of this package that it is made of."""
    cls = type(strategy)
    teller = next(base for base in cls.__mro__ if "portable_request" in base.__dict__)
    ours = __name__.partition(".")[0]
    if cls.__module__.partition(".")[0] != ours and teller.__module__.partition(".")[0] == ours:
        raise ConfigurationError(
            f"{cls.__qualname__} is a class of yours, and what it sends cannot be told. Give it a "
            f"method portable_request(self, prompt)."
        )
