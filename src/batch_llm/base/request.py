"""A request to a language model, written once for any lane."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from ..exceptions import InputError
from .schema import OutputSchema

if TYPE_CHECKING:
    from .schema import SchemaSource


@dataclass(frozen=True, slots=True)
class TextPart:
    """Text, as a part of a message."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImagePart:
    """An image, as bytes or by address.

    Args:
        data: the image's bytes; give this or `url`.
        url: where the provider finds it ("https://…" or "data:…").
        media_type: such as "image/png"; needed with `data`.
    """

    data: bytes | None = dataclasses.field(default=None, repr=False)
    url: str | None = None
    media_type: str | None = None

    def __post_init__(self) -> None:
        _check_source("ImagePart", self.data, self.url, self.media_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A document (a PDF, a text file), as bytes or by address.

    Args:
        data: the file's bytes; give this or `url`.
        url: where the provider finds it.
        media_type: such as "application/pdf"; needed with `data`.
        name: the file's name, which some providers show to the model.
    """

    data: bytes | None = dataclasses.field(default=None, repr=False)
    url: str | None = None
    media_type: str | None = None
    name: str | None = None

    def __post_init__(self) -> None:
        _check_source("FilePart", self.data, self.url, self.media_type)


def _as_parts(content: object) -> tuple[Part, ...]:
    parts = tuple(content) if isinstance(content, Iterable) else ()
    if not parts or not all(isinstance(part, (TextPart, ImagePart, FilePart)) for part in parts):
        raise InputError(
            "Message.content is a text, or TextPart, ImagePart and FilePart objects in a sequence."
        )
    return parts


Part: TypeAlias = TextPart | ImagePart | FilePart
Role: TypeAlias = Literal["user", "assistant"]


def _check_source(what: str, data: bytes | None, url: str | None, media_type: str | None) -> None:
    if (data is None) == (url is None):
        raise InputError(f"{what} takes either data or url, and exactly one of them.")
    if data is not None and not media_type:
        raise InputError(f"{what} with data needs its media_type, such as 'application/pdf'.")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Args:
        role: "user" or "assistant".
        content: text, or parts in order.
    """

    role: Role
    content: str | tuple[Part, ...]

    def __post_init__(self) -> None:
        if self.role not in ("user", "assistant"):
            raise InputError(
                f"A message's role is 'user' or 'assistant', not {self.role!r}. "
                f"System text goes into LLMRequest(system=…)."
            )
        if not isinstance(self.content, str):
            object.__setattr__(self, "content", _as_parts(self.content))

    @property
    def parts(self) -> tuple[Part, ...]:
        """The content as parts."""
        return (TextPart(self.content),) if isinstance(self.content, str) else self.content

    @property
    def text(self) -> str:
        """The text parts, one a line."""
        return "\n".join(part.text for part in self.parts if isinstance(part, TextPart))


@dataclass(frozen=True, slots=True, kw_only=True)
class LLMRequest:
    """A request to a language model.

    Args:
        messages: the conversation, oldest first; a plain string is one user message.
        system: the system prompt.
        output_schema: a pydantic model class or a JSON schema that the answer must fit.
        temperature: 0 and up; None leaves the provider's default, as with all below.
        top_p: above 0, at most 1.
        max_output_tokens: the most tokens the answer may have.
        stop: texts at which the answer ends.
        seed: asks for a repeatable answer, where the provider can.
        citations: asks for the passages of the documents that the answer rests on, where the
            provider can.

    Raises:
        InputError: for a value that no provider would accept, naming the field.
    """

    messages: tuple[Message, ...]
    system: str | None = None
    output_schema: OutputSchema | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    citations: bool = False

    def __init__(
        self,
        messages: str | Iterable[Message],
        *,
        system: str | None = None,
        output_schema: SchemaSource | OutputSchema | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_output_tokens: int | None = None,
        stop: Iterable[str] = (),
        seed: int | None = None,
        citations: bool = False,
    ) -> None:
        # Frozen: a request is shared by attempts, lanes and fingerprints.
        put = object.__setattr__
        turns = _as_turns(messages)
        put(self, "messages", turns)
        put(self, "system", system)
        put(self, "output_schema", _as_schema(output_schema))
        put(self, "temperature", temperature)
        put(self, "top_p", top_p)
        put(self, "max_output_tokens", max_output_tokens)
        put(self, "stop", (stop,) if isinstance(stop, str) else tuple(stop))
        put(self, "seed", seed)
        put(self, "citations", bool(citations))
        self._check()

    def _check(self) -> None:
        if self.temperature is not None and not _is_between(self.temperature, 0, math.inf):
            raise InputError(f"LLMRequest.temperature is 0 or more, not {self.temperature!r}.")
        if self.top_p is not None and (not self.top_p or not _is_between(self.top_p, 0, 1)):
            raise InputError(f"LLMRequest.top_p is above 0 and at most 1, not {self.top_p!r}.")
        limit = self.max_output_tokens
        if limit is not None and (not isinstance(limit, int) or limit is True or limit < 1):
            raise InputError(f"LLMRequest.max_output_tokens is 1 or more, not {limit!r}.")

    @property
    def text(self) -> str:
        """All text of the messages, one part a line; not the system prompt."""
        return "\n".join(message.text for message in self.messages)

    def __len__(self) -> int:
        """Characters of text, the system prompt included."""
        return len(self.text) + len(self.system or "")

    def __bool__(self) -> bool:
        return True


def _as_turns(messages: object) -> tuple[Message, ...]:
    if isinstance(messages, str):
        return (Message("user", messages),)
    turns = tuple(messages) if isinstance(messages, Iterable) else ()
    if not turns or not all(isinstance(turn, Message) for turn in turns):
        raise InputError("LLMRequest.messages is one string, or Message objects, at least one.")
    return turns


def _is_between(value: object, least: float, most: float) -> bool:
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return False
    return math.isfinite(value) and least <= value <= most


def _as_schema(schema: SchemaSource | OutputSchema | None) -> OutputSchema | None:
    if schema is None or isinstance(schema, OutputSchema):
        return schema
    return OutputSchema(schema)


Prompt: TypeAlias = str | LLMRequest


class RequestDefaults:
    """What a strategy adds to each prompt, unless the prompt's own `LLMRequest` says otherwise.

    Args: as those of `LLMRequest`, without the messages.

    Raises:
        InputError: for a value that no provider would accept, naming the field.
        ConfigurationError: for an output schema that is none.
    """

    __slots__ = ("_template",)

    def __init__(
        self,
        *,
        system: str | None = None,
        output_schema: SchemaSource | OutputSchema | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        max_output_tokens: int | None = None,
        stop: Iterable[str] = (),
        seed: int | None = None,
        citations: bool = False,
    ) -> None:
        self._template = LLMRequest(
            "(prompt)",
            system=system,
            output_schema=output_schema,
            temperature=temperature,
            top_p=top_p,
            max_output_tokens=max_output_tokens,
            stop=stop,
            seed=seed,
            citations=citations,
        )

    @property
    def output_schema(self) -> OutputSchema | None:
        """The schema of answers to plain prompts."""
        return self._template.output_schema

    @property
    def system(self) -> str | None:
        """The system prompt of plain prompts."""
        return self._template.system

    def settings(self) -> dict[str, object]:
        """Return all of them by name, those that are not set too."""
        fields = dataclasses.fields(self._template)
        found: dict[str, object] = {f.name: getattr(self._template, f.name) for f in fields}
        del found["messages"]
        # Younger than some ledgers, whose answers still hold where it is not asked for.
        found["citations"] = found["citations"] or None
        return found

    def schema_for(self, prompt: Prompt) -> OutputSchema | None:
        """Return the schema that the answer to `prompt` has to fit."""
        own = None if isinstance(prompt, str) else prompt.output_schema
        return own or self._template.output_schema

    def temperature_for(self, prompt: Prompt) -> float | None:
        """Return the temperature that is asked for `prompt`."""
        own = None if isinstance(prompt, str) else prompt.temperature
        return self._template.temperature if own is None else own

    def apply(self, prompt: Prompt) -> LLMRequest:
        """Return the whole request for `prompt`."""
        ours = self._template
        if isinstance(prompt, str):
            return LLMRequest(
                prompt,
                system=ours.system,
                output_schema=ours.output_schema,
                temperature=ours.temperature,
                top_p=ours.top_p,
                max_output_tokens=ours.max_output_tokens,
                stop=ours.stop,
                seed=ours.seed,
                citations=ours.citations,
            )
        return LLMRequest(
            prompt.messages,
            system=ours.system if prompt.system is None else prompt.system,
            output_schema=prompt.output_schema or ours.output_schema,
            temperature=ours.temperature if prompt.temperature is None else prompt.temperature,
            top_p=ours.top_p if prompt.top_p is None else prompt.top_p,
            max_output_tokens=prompt.max_output_tokens or ours.max_output_tokens,
            stop=prompt.stop or ours.stop,
            seed=ours.seed if prompt.seed is None else prompt.seed,
            citations=prompt.citations or ours.citations,
        )
