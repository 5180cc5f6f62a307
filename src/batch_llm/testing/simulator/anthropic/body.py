"""The body of POST /v1/messages, as it comes over the wire.

Known fields that the simulator has no use for are left alone, as are those of betas, which are
taken without the header that names the beta. Unknown ones are refused in the body itself, its
turns, its metadata and its `output_config`; what blocks and tools hold besides is left alone.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from ..decoding import UNREADABLE, misfit_of, strict
from .refusal import RefusedError, extra, missing, wrong_kind

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..decoding import Misfit

T = TypeVar("T")

_KINDS: Final = {
    "array": "list",
    "bool": "boolean",
    "float": "number",
    "int": "integer",
    "object": "dictionary",
    "str": "string",
}
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[([^\[\]]*)\]")
_NOT_READ: Final = msgspec.Raw()


class CacheControl(msgspec.Struct):
    """The end of a prefix that is to be cached."""

    type: str
    ttl: str | None = None


class Block(msgspec.Struct):
    """A part of a turn, of any type; which fields stand in it depends on the type."""

    type: str
    text: str | None = None
    title: str | None = None
    context: str | None = None
    id: str | None = None
    name: str | None = None
    tool_use_id: str | None = None
    cache_control: CacheControl | None = None
    source: msgspec.Raw = _NOT_READ
    content: msgspec.Raw = _NOT_READ
    input: msgspec.Raw = _NOT_READ
    citations: msgspec.Raw = _NOT_READ


class Source(msgspec.Struct):
    """Where an image or a document comes from."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: str | list[Block] | None = None


class Citations(msgspec.Struct):
    """Whether a document may be cited."""

    enabled: bool = False


class Turn(msgspec.Struct):
    """One message of the conversation."""

    role: str
    content: str | list[Block]


class ToolSpec(msgspec.Struct):
    """A tool: the client's own, or one of Anthropic's."""

    name: str | None = None
    type: str | None = None
    description: str | None = None
    cache_control: CacheControl | None = None
    input_schema: msgspec.Raw = _NOT_READ


class ToolChoice(msgspec.Struct):
    """Whether the model must ask for a tool."""

    type: str
    name: str | None = None


class OutputFormat(msgspec.Struct):
    """The form of the answer."""

    type: str
    schema: msgspec.Raw = _NOT_READ


class OutputConfig(msgspec.Struct):
    """How the answer is to be."""

    effort: str | None = None
    format: OutputFormat | None = None


class Thinking(msgspec.Struct):
    """Whether the model thinks before it answers."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class Metadata(msgspec.Struct):
    """What the client says of the request."""

    user_id: str | None = None


class Body(msgspec.Struct):
    """All of it."""

    model: str
    messages: list[Turn]
    max_tokens: int | None = None
    system: str | list[Block] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[ToolSpec] | None = None
    tool_choice: ToolChoice | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    thinking: Thinking | None = None
    metadata: Metadata | None = None
    cache_control: CacheControl | None = None
    service_tier: str | None = None

    @property
    def format(self) -> OutputFormat | None:
        """The form of the answer, from where it stands now or where the first beta had it."""
        config = self.output_config
        return self.output_format if config is None or config.format is None else config.format


_UNREAD: Final = (
    "billing_policy",
    "compaction",
    "container",
    "context_management",
    "diagnostics",
    "fallback_credit_token",
    "fallbacks",
    "inference_geo",
    "mcp_servers",
    "speed",
    "thread",
)
_STRICT_TURN: Final = strict(Turn, unread=("clear_at", "output_config"))
STRICT_BODY: Final = strict(
    Body,
    unread=_UNREAD,
    messages=list[_STRICT_TURN],  # type: ignore[valid-type]
    metadata=(strict(Metadata) | None, None),
    output_config=(strict(OutputConfig, unread=("task_budget",)) | None, None),
)
"""The body as Anthropic takes it; other servers may take any field."""
_STRICT_BODIES: Final = msgspec.json.Decoder(STRICT_BODY)
_BODIES: Final = msgspec.json.Decoder(Body)
SOURCES: Final = msgspec.json.Decoder(Source)
CITATIONS: Final = msgspec.json.Decoder(Citations)
CONTENTS: Final = msgspec.json.Decoder(str | list[Block])


def read_body(data: bytes, further_models: Collection[str]) -> Body:
    """Return a body's fields.

    Args:
        data: JSON.
        further_models: models that are none of Anthropic's: what is sent to them may hold any
            field.

    Raises:
        RefusedError: if it is not JSON, or its fields are unknown or of wrong types.
    """
    try:
        return decode(_STRICT_BODIES, data)
    except RefusedError:
        if not further_models:
            raise
        body = decode(_BODIES, data)
        if body.model not in further_models:
            raise
        return body


def decode(decoder: msgspec.json.Decoder[T], data: bytes, place: str = "") -> T:
    """Return what JSON from a client holds.

    Args:
        decoder: of the expected form.
        data: the JSON.
        place: where it is in the request, such as "messages.0.content"; "" for the whole.

    Raises:
        RefusedError: if it is not JSON, or not of that form.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _refused(misfit_of(error), place) from None
    except RecursionError:
        raise RefusedError("The request body is nested too deeply.") from None
    except UNREADABLE as error:
        raise RefusedError(f"The request body is not valid JSON: {error}") from None


def _refused(misfit: Misfit, place: str) -> RefusedError:
    """Return the error for a value that does not fit."""
    steps = _STEP.findall(misfit.path or "")
    where = _joined(place, *(name or index for name, index in steps))
    if misfit.missing is not None:
        return missing(_joined(where, misfit.missing))
    if misfit.unknown is not None:
        return extra(_joined(where, misfit.unknown))
    if misfit.expected:
        kinds = [_KINDS.get(kind, kind) for kind in misfit.expected if kind != "null"]
        return wrong_kind(where, " or ".join(kinds))
    return RefusedError(f"{where or 'body'}: {misfit.message}")


def _joined(*places: str) -> str:
    return ".".join(filter(None, places))
