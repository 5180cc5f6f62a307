"""Whether a model can do what a job asks of it: told before anything is sent."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..base.chat_messages import read_chat
from ..base.job import DEFAULT_MAX_TOKENS, DEFAULT_TEMPERATURE
from ..base.job_file import PDF, TEXT, media_type_of
from ..base.request import FilePart, ImagePart
from ..exceptions import JobError
from ..wire.openai_responses import LEAST_OUTPUT_TOKENS
from ..wire.strict_schema import root_type
from . import registry
from .abilities import ROOM_TO_THINK_TOKENS, abilities_of, names_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..base import Job
    from .abilities import Abilities
    from .base import BatchClient

_Fault: TypeAlias = tuple[str, str]
"""The field that is wrong, and why."""

_MOST_STOPS: Final = {"openai": 4, "gemini": 5}
_HOTTEST: Final = {"openai": 2.0, "anthropic": 1.0, "gemini": 2.0}
_SUFFIXES: Final = {
    PDF: ".pdf",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/gif": ".gif",
    "image/webp": ".webp",
}


def abilities_for(model: str, clients: Mapping[str, BatchClient]) -> Abilities | None:
    """Return what the model of a job can do; None where that is for its provider to say.

    Args:
        model: as `find_route` takes it.
        clients: the user's own, by the names that stand before a colon.

    Raises:
        ConfigurationError: for a name that no provider is known by.
    """
    route = registry.find_route(model, clients)
    own = clients.get(route.provider)
    speaks = route.provider if own is None else own.provider
    if speaks not in _HOTTEST:
        return None
    able = abilities_of(speaks, route.model, is_own_server=route.provider != speaks)
    is_asked_otherwise = own is not None and own.asks_by_responses
    return dataclasses.replace(able, is_asked_by_responses=True) if is_asked_otherwise else able


def check_job(job: Job, able: Abilities) -> None:
    """Refuse a job that its model cannot do. Of its file the beginning is read.

    Args:
        job: what is asked.
        able: what its model can do.

    Raises:
        JobError: naming the job and the field. What is not known of a model is not refused.
    """
    checks = _OF_VECTORS if job.text is not None else _OF_CHATS
    for check in checks:
        for field, why in check(job, able):
            raise JobError(f"Job {job.id!r}: {why}", job_id=job.id, field=field)


def fitted(job: Job, able: Abilities) -> Job:
    """Return a job with those defaults of `Job` left out that its model does not take.

    Nobody asked for them: a temperature of 0.7 where the model refuses any, and 1,000 tokens for a
    model that may spend them on thoughts, which gets `ROOM_TO_THINK_TOKENS`.
    """
    if job.text is not None:
        return job
    given: dict[str, Any] = {"top_p": job.top_p}
    if job.temperature != DEFAULT_TEMPERATURE:
        given["temperature"] = job.temperature
    if job.max_tokens != DEFAULT_MAX_TOKENS:
        given["max_tokens"] = job.max_tokens
    usual = usual_settings(able, given)
    return dataclasses.replace(job, **usual) if usual else job


def usual_settings(able: Abilities, given: Mapping[str, object]) -> dict[str, Any]:
    """Return what a job of this model has in the place of defaults that do not become it.

    Args:
        able: what the model can do.
        given: the settings that somebody has asked for; they stay as they are.
    """
    usual: dict[str, Any] = {}
    has_top_p = given.get("top_p") is not None
    is_free = able.sampling == "taken" and (able.takes_both_samplings or not has_top_p)
    if "temperature" not in given and not is_free:
        usual["temperature"] = None
    if "max_tokens" not in given and able.thinks_unasked:
        usual["max_tokens"] = ROOM_TO_THINK_TOKENS
    return usual


# --- what is wrong with a job: each check yields what it finds -------------------------------


def _kind_of_text(_: Job, able: Abilities) -> Iterator[_Fault]:
    if able.makes_vectors is False:
        yield "text", f"{able.model} answers, and makes no vectors of texts. Give it a prompt."


def _kind_of_chat(job: Job, able: Abilities) -> Iterator[_Fault]:
    if able.makes_vectors:
        field = "messages" if job.messages is not None else "prompt"
        yield field, f"{able.model} makes vectors, and answers nothing. Give it a text to embed."


def _file(job: Job, able: Abilities) -> Iterator[_Fault]:
    if job.file is None:
        return
    job.check_file()
    why = _unreadable(media_type_of(job.file), able)
    if why is not None:
        yield "file", f"file {str(job.file)!r} {why}"


def _parts(job: Job, able: Abilities) -> Iterator[_Fault]:
    turns = job.messages or ()
    if not any(isinstance(turn.get("content"), list) for turn in turns):
        return
    for turn in read_chat(list(turns)).turns:
        for part in turn.parts:
            if isinstance(part, (ImagePart, FilePart)):
                usual = "image/*" if isinstance(part, ImagePart) else TEXT
                why = _unreadable(part.media_type or usual, able)
                if why is not None:
                    yield "messages", f"a part of the messages {why}"


def _unreadable(media_type: str, able: Abilities) -> str | None:
    """Return why a model does not read files of a type; None where it may."""
    if media_type.startswith("text/"):
        return None
    config, suffix = able.config, _SUFFIXES.get(media_type)
    reads = config.supports_images if media_type.startswith("image/") else config.supports_files
    what = "an image" if media_type.startswith("image/") else f"of the type {media_type}"
    if not reads:
        return f"is {what}, and {able.model} reads texts only."
    if suffix is None or config.reads(suffix):
        return None
    return (
        f"is of the type {media_type}, and {able.model} reads {names_of(config.file_types)} and "
        f"texts."
    )


def _citations(job: Job, able: Abilities) -> Iterator[_Fault]:
    if job.enable_citations and not able.config.supports_citations:
        why = f"{able.model} does not tell which passages its answer rests on"
        if able.provider == "gemini":
            why += ": Gemini cites no documents, and a search of the web is billed apart"
        yield "enable_citations", f"{why}. Leave enable_citations out, or ask Claude."


def _schema(job: Job, able: Abilities) -> Iterator[_Fault]:
    if job.response_model is not None and not able.config.supports_structured_output:
        yield (
            "response_model",
            f"{able.model} keeps to no schema. Ask a newer model, or say it in the prompt.",
        )
    elif job.output_schema is not None and able.wants_object:
        root = root_type(job.output_schema.json_schema)
        if root != "object":
            why = f'OpenAI takes schemas whose root is of the type "object", and here it is {root}'
            yield "response_model", f'{why}. Make it the field of one: {{"items": …}}.'


def _limit(job: Job, able: Abilities) -> Iterator[_Fault]:
    if able.is_asked_by_responses and (job.max_tokens or LEAST_OUTPUT_TOKENS) < LEAST_OUTPUT_TOKENS:
        why = f"OpenAI's Responses take {LEAST_OUTPUT_TOKENS} or more"
        yield "max_tokens", f"max_tokens is {job.max_tokens}, and {why}."
    most = able.config.max_output_tokens
    if able.is_known and job.max_tokens is not None and job.max_tokens > most:
        yield "max_tokens", f"max_tokens is {job.max_tokens:,}, and {able.model} writes {most:,}."


def _sampling(job: Job, able: Abilities) -> Iterator[_Fault]:
    for name in ("temperature", "top_p"):
        # The value that they have anyhow may be named.
        if able.sampling == "refused" and getattr(job, name) not in (None, 1):
            yield name, f"{name} cannot be set for {able.model}. Leave it out, or make it None."
    hottest = _HOTTEST[able.provider]
    if job.temperature is not None and job.temperature > hottest:
        yield (
            "temperature",
            f"temperature is {job.temperature:g}, and {able.provider} takes {hottest:g} at most.",
        )
    if not able.takes_both_samplings and None not in (job.temperature, job.top_p):
        yield "top_p", f"{able.model} takes temperature or top_p, and not both of them."


def _stop(job: Job, able: Abilities) -> Iterator[_Fault]:
    if job.stop and not able.takes_stop:
        yield "stop", f"{able.model} knows no stop texts. Leave stop out."
    if job.stop and able.is_asked_by_responses:
        yield "stop", "OpenAI's Responses know no stop texts. Leave stop out."
    most = _MOST_STOPS.get(able.provider)
    if most is not None and len(job.stop) > most:
        yield "stop", f"stop has {len(job.stop)} texts, and {able.provider} takes {most} at most."
    if able.provider == "anthropic" and not all(text.strip() for text in job.stop):
        yield "stop", "stop has a text of white space alone, which Anthropic refuses."


_Check: TypeAlias = "Callable[[Job, Abilities], Iterator[_Fault]]"

_OF_VECTORS: Final[tuple[_Check, ...]] = (_kind_of_text,)
_OF_CHATS: Final[tuple[_Check, ...]] = (
    _kind_of_chat,
    _file,
    _parts,
    _citations,
    _schema,
    _limit,
    _sampling,
    _stop,
)
