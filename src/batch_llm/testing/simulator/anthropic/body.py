"""The body of POST /v1/messages, as it comes over the wire.

Fields that the simulator has no use for are taken and left alone, as are those of betas.
"""

from __future__ import annotations

from typing import Final

import msgspec

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


BODIES: Final = msgspec.json.Decoder(Body)
SOURCES: Final = msgspec.json.Decoder(Source)
CITATIONS: Final = msgspec.json.Decoder(Citations)
CONTENTS: Final = msgspec.json.Decoder(str | list[Block])
