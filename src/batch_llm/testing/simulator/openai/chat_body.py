"""The body of a chat completion: its fields, and which values they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..tokens import count_json
from .body import check_decimal, check_length, check_metadata, check_name
from .catalogue import facts_of
from .chat_messages import ChatMessage  # noqa: TC001 - the decoder reads it at run time
from .chat_tools import ChatTool, ToolChoice  # noqa: TC001
from .model_body import ModelBodies, ModelBody
from .model_rules import check_effort, check_speaks, unsupported
from .refusal import (
    RefusedError,
    missing,
    not_among,
    out_of_range,
    unknown_parameter,
    unrecognized,
)
from .schemas import fault_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .catalogue import ModelFacts
    from .chat_messages import Conversation

_FORMATS: Final = ("text", "json_object", "json_schema")
_ANY_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_MOST_STOPS: Final = 4
_MOST_CHOICES: Final = 128
_MOST_LOGPROBS: Final = 20
_VERBOSITIES: Final = ("low", "medium", "high")
_UNREAD: Final = (
    "audio",
    "function_call",
    "functions",
    "moderation",
    "prediction",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "web_search_options",
)


class _JSONSchema(msgspec.Struct):
    name: str
    schema: msgspec.Raw = msgspec.Raw(b"")
    strict: bool | None = None
    description: str | None = None


class _ResponseFormat(msgspec.Struct):
    type: str
    json_schema: _JSONSchema | None = None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatBody(ModelBody):
    """What is read of what a client sends."""

    messages: list[ChatMessage] | None = None
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    max_completion_tokens: int | None = None
    max_tokens: int | None = None
    metadata: dict[str, str] | None = None
    modalities: list[str] | None = None
    n: int | None = None
    parallel_tool_calls: bool | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    reasoning_effort: str | None = None
    response_format: _ResponseFormat | None = None
    seed: int | None = None
    service_tier: str | None = None
    stop: str | list[str] | None = None
    store: bool | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    temperature: float | None = None
    tool_choice: str | ToolChoice | None = None
    tools: list[ChatTool] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    user: str | None = None
    verbosity: str | None = None

    @property
    def most_tokens(self) -> int | None:
        """The most tokens of one answer."""
        limit = self.max_completion_tokens
        return self.max_tokens if limit is None else limit

    @property
    def stops(self) -> list[str]:
        """The texts at which an answer ends."""
        if self.stop is None:
            return []
        return [self.stop] if isinstance(self.stop, str) else self.stop


def _unknown(names: Sequence[str], model: str) -> RefusedError:
    """Return the error for unknown fields; models that can reason have words of their own."""
    if facts_of(model).reasoning == "never":
        return unrecognized(names)
    return unknown_parameter(names[0])


CHAT_BODIES: Final = ModelBodies(ChatBody, _unknown, _UNREAD)


def check_values(body: ChatBody, facts: ModelFacts) -> None:
    """Refuse values that no model takes, and those that this one does not.

    Raises:
        RefusedError: for the first one that is wrong.
    """
    if body.messages is None:
        raise missing("messages")
    check_speaks(facts, body.model or "")
    _check_numbers(body)
    check_metadata(body.metadata)
    if isinstance(body.stop, list):
        check_length("stop", body.stop, 1, _MOST_STOPS)
    if body.stream_options is not None and not body.stream:
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise RefusedError(message, param="stream_options")
    if body.verbosity is not None and body.verbosity not in _VERBOSITIES:
        raise not_among("verbosity", body.verbosity, _VERBOSITIES)
    if body.modalities is not None and body.modalities != ["text"]:
        message = "The simulator's models answer in text only."
        raise RefusedError(message, param="modalities", code="unsupported_value")
    _check_model(body, facts)


def _check_numbers(body: ChatBody) -> None:
    check_decimal("temperature", body.temperature, 0, 2)
    check_decimal("top_p", body.top_p, 0, 1)
    check_decimal("frequency_penalty", body.frequency_penalty, -2, 2)
    check_decimal("presence_penalty", body.presence_penalty, -2, 2)
    if body.n is not None and not 1 <= body.n <= _MOST_CHOICES:
        raise out_of_range("n", body.n, 1, _MOST_CHOICES)
    for name in ("max_tokens", "max_completion_tokens"):
        value = getattr(body, name)
        if value is not None and value < 1:
            raise out_of_range(name, value, 1, value)
    if body.top_logprobs is not None:
        if not 0 <= body.top_logprobs <= _MOST_LOGPROBS:
            raise out_of_range("top_logprobs", body.top_logprobs, 0, _MOST_LOGPROBS)
        if not body.logprobs:
            message = "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled."
            raise RefusedError(message, param="top_logprobs")
    for token, bias in (body.logit_bias or {}).items():
        check_decimal(f"logit_bias.{token}", bias, -100, 100)
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        message = (
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
        )
        raise RefusedError(message, code="invalid_parameter_combination")


def _check_model(body: ChatBody, facts: ModelFacts) -> None:
    """Refuse what a reasoning model does not take."""
    check_effort(facts, body.reasoning_effort, "reasoning_effort")
    for name in ("max_tokens", "max_completion_tokens"):
        value = getattr(body, name)
        if value is not None and value > facts.output_tokens:
            message = (
                f"{name} is too large: {value}. This model supports at most {facts.output_tokens} "
                f"completion tokens, whereas you provided {value}."
            )
            raise RefusedError(message, param=name, code="invalid_value")
    if facts.reasoning == "never":
        return
    if body.max_tokens is not None:
        raise unsupported("max_tokens", "max_completion_tokens")
    if not facts.reasons(body.reasoning_effort):
        return
    if body.temperature not in (None, 1):
        message = (
            f"Unsupported value: 'temperature' does not support {body.temperature:g} with this "
            "model. Only the default (1) value is supported."
        )
        raise RefusedError(message, param="temperature", code="unsupported_value")
    given = {
        "top_p": body.top_p not in (None, 1),
        "presence_penalty": bool(body.presence_penalty),
        "frequency_penalty": bool(body.frequency_penalty),
        "logprobs": bool(body.logprobs),
        "logit_bias": bool(body.logit_bias),
        "stop": bool(body.stops) and not (body.model or "").startswith("o1"),
    }
    for name, is_given in given.items():
        if is_given:
            raise unsupported(name)


def read_format(body: ChatBody, talk: Conversation) -> tuple[Mapping[str, Any] | None, int]:
    """Return the schema that the answer must fit, and the tokens of its name and text.

    Raises:
        RefusedError: for a format that cannot be.
    """
    wanted = body.response_format
    if wanted is None or wanted.type == "text":
        return None, 0
    if wanted.type not in _FORMATS:
        raise not_among("response_format.type", wanted.type, _FORMATS)
    if wanted.type == "json_object":
        if not any("json" in text.lower() for text in talk.texts):
            message = (
                "'messages' must contain the word 'json' in some form, to use 'response_format' "
                "of type 'json_object'."
            )
            raise RefusedError(message, param="messages")
        return _ANY_OBJECT, 0
    schema = wanted.json_schema
    if schema is None:
        raise missing("response_format.json_schema")
    check_name("response_format.json_schema.name", schema.name)
    if not bytes(schema.schema):
        raise missing("response_format.json_schema.schema")
    name = "response_format.json_schema.schema"
    if (fault := fault_of(schema.schema, name, bool(schema.strict))) is not None:
        message = f"Invalid schema for response_format '{schema.name}': {fault}"
        raise RefusedError(message, param="response_format")
    return schema_of(schema.schema, name), count_json(schema.schema)


def check_context(facts: ModelFacts, input_tokens: int, most_tokens: int | None) -> None:
    """Refuse more tokens than the model's context holds."""
    window, wanted = facts.context_tokens, most_tokens or 0
    if input_tokens > window:
        message = (
            f"This model's maximum context length is {window} tokens. However, your messages "
            f"resulted in {input_tokens} tokens. Please reduce the length of the messages."
        )
    elif input_tokens + wanted > window:
        message = (
            f"This model's maximum context length is {window} tokens. However, you requested "
            f"{input_tokens + wanted} tokens ({input_tokens} in the messages, {wanted} in the "
            "completion). Please reduce the length of the messages or completion."
        )
    else:
        return
    raise RefusedError(message, param="messages", code="context_length_exceeded")
