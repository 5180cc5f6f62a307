"""One call of a model, in no provider's words."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .limits import Hold, Measure

Provider = Literal["openai", "anthropic", "gemini"]
Lane = Literal["live", "batch"]
Ending = Literal["stop", "length", "stop_sequence", "refusal", "safety", "tool_call"]
"""Why an answer ends; each provider has its own word for it."""


@dataclass(slots=True)
class Tool:
    """A function that the model may ask for.

    Attributes:
        name: of the function.
        schema: JSON schema of its arguments.
    """

    name: str
    schema: Mapping[str, Any]


@dataclass(slots=True)
class Sender:
    """Where a call comes from.

    Attributes:
        key: the API key.
        headers: of the request; a batch's line has none.
        lane: live, or a line of a batch.
        custom_id: of a line of a batch; "" where it has none.
    """

    key: str
    headers: Mapping[str, str] = field(default_factory=dict)
    lane: Lane = "live"
    custom_id: str | None = None


@dataclass(slots=True)
class ModelCall:
    """What is asked of a model, whoever asked it in whatever words.

    Attributes:
        provider: whose API was called.
        operation: the endpoint, as the provider names it: "chat.completions", "responses",
            "embeddings", "messages", "generateContent", …
        model: as the client named it.
        key: the API key.
        messages: (role, text) of each turn, oldest first, without the system prompt.
        system: the system prompt; "" for none.
        input_tokens: of everything the client sent, images and files included.
        schema: JSON schema that the answer must fit; None for plain text.
        tools: what the model may ask for.
        forced_tool: name of the tool that the model must ask for; "" for any of them; None where
            it need not.
        max_output_tokens: None for no limit.
        stop: texts at which the answer ends.
        choices: how often the answer is wanted; its output is billed so many times.
        streamed: whether the answer comes in pieces.
        lane: live, or a line of a batch.
        custom_id: of a line of a batch.
        headers: of the request; those of a batch's line are empty.
        identity: digest of provider, operation and body: equal for equal requests.
        occurrence: 1 for the first time this request is seen, 2 for the second.
        cached_input_tokens: the part of `input_tokens` that is read from a cache.
        cache_write_tokens: the part of `input_tokens` that is written to a cache.
        hour_cache_write_tokens: the part of these that is written for an hour.
        held: what the limits count for it until it is answered, by measure; None counts nothing.
    """

    provider: Provider
    operation: str
    model: str
    key: str
    messages: Sequence[tuple[str, str]]
    system: str = ""
    input_tokens: int = 0
    schema: Mapping[str, Any] | None = None
    tools: Sequence[Tool] = ()
    forced_tool: str | None = None
    max_output_tokens: int | None = None
    stop: Sequence[str] = ()
    choices: int = 1
    streamed: bool = False
    lane: Lane = "live"
    custom_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    identity: bytes = b""
    occurrence: int = 1
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    hour_cache_write_tokens: int = 0
    held: Mapping[Measure, Hold] | None = None

    @property
    def prompt(self) -> str:
        """The text of the last turn of the user: what an answer is looked up by."""
        for role, text in reversed(self.messages):
            if role == "user":
                return text
        return self.messages[-1][1] if self.messages else ""

    @property
    def subject(self) -> bytes:
        """What chance depends on: the request, and how often it was seen."""
        return self.identity + self.occurrence.to_bytes(4, "big")


@dataclass(slots=True)
class Answer:
    """What a model says.

    Attributes:
        text: the words; of a tool call, its arguments as JSON.
        ending: why it ends.
        tool: name of the tool that is asked for, where `ending` is "tool_call".
        output_tokens: billed for it, reasoning included; None counts the text.
        reasoning_tokens: the part of them that is not shown.
        vectors: of an embedding, one a text.
        stopped_by: the text at which it ends, where `ending` is "stop_sequence"; None where that
            is not known.
    """

    text: str = ""
    ending: Ending = "stop"
    tool: str | None = None
    output_tokens: int | None = None
    reasoning_tokens: int = 0
    vectors: Sequence[Sequence[float]] | None = None
    stopped_by: str | None = None


@dataclass(slots=True)
class Usage:
    """Tokens that one call is billed for.

    Attributes:
        input_tokens: all of the input, what a cache gave or took included.
        output_tokens: all of the output, reasoning included.
        cached_input_tokens: the part of the input that was read from a cache.
        cache_write_tokens: the part of the input that was written to a cache.
        reasoning_tokens: the part of the output that is not shown.
        hour_cache_write_tokens: the part of `cache_write_tokens` that was written for an hour.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    hour_cache_write_tokens: int = 0

    def add(self, usage: Usage) -> None:
        """Add the tokens of another call."""
        self.input_tokens += usage.input_tokens
        self.output_tokens += usage.output_tokens
        self.cached_input_tokens += usage.cached_input_tokens
        self.cache_write_tokens += usage.cache_write_tokens
        self.reasoning_tokens += usage.reasoning_tokens
        self.hour_cache_write_tokens += usage.hour_cache_write_tokens
