"""The body of a response's request: its fields, and which values they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ..tokens import count_json
from .body import check_decimal, check_metadata, check_name
from .model_body import ModelBodies, ModelBody
from .model_rules import check_effort, check_speaks, unsupported
from .refusal import RefusedError, missing, not_among, out_of_range, unknown_parameter
from .schemas import fault_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .catalogue import ModelFacts

_FORMATS: Final = ("text", "json_object", "json_schema")
_TRUNCATIONS: Final = ("auto", "disabled")
_VERBOSITIES: Final = ("low", "medium", "high")
_UNREAD: Final = (
    "access_programs",
    "background_options",
    "context_management",
    "frequency_penalty",
    "image",
    "moderation",
    "presence_penalty",
    "prompt_cache_options",
    "stream_options",
)
_MOVED: Final = {
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
"""Fields of chat completions, and where they stand in a response's request."""
_LEAST_OUTPUT: Final = 16
_MOST_LOGPROBS: Final = 20
LOGPROBS: Final = "message.output_text.logprobs"
"""What `include` holds where probabilities are wanted."""
_ANY_OBJECT: Final[Mapping[str, Any]] = {"type": "object"}
_PLAIN_TEXT: Final = {"type": "text"}


class _Format(msgspec.Struct):
    type: str
    name: str | None = None
    schema: msgspec.Raw = msgspec.Raw(b"")
    strict: bool | None = None
    description: str | None = None


class _Text(msgspec.Struct):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None


class ResponseBody(ModelBody):
    """What is read of what a client sends."""

    input: str | list[msgspec.Raw] | None = None
    background: bool | None = None
    conversation: str | dict[str, Any] | None = None
    include: list[str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    max_tool_calls: int | None = None
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    previous_response_id: str | None = None
    prompt: dict[str, Any] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning: _Reasoning | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    stream: bool | None = None
    temperature: float | None = None
    text: _Text | None = None
    tool_choice: msgspec.Raw = msgspec.Raw(b"")
    tools: list[msgspec.Raw] | None = None
    top_logprobs: int | None = None
    top_p: float | None = None
    truncation: str | None = None
    user: str | None = None

    @property
    def effort(self) -> str | None:
        """The effort of reasoning that is asked for."""
        return None if self.reasoning is None else self.reasoning.effort


def _unknown(names: Sequence[str], _model: str) -> RefusedError:
    """Return the error for unknown fields; all models have the same words."""
    name = names[0]
    if name not in _MOVED:
        return unknown_parameter(name)
    message = (
        f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to "
        f"'{_MOVED[name]}'. Try again with the new parameter. See the API documentation for more "
        "information: https://platform.openai.com/docs/api-reference/responses/create."
    )
    return RefusedError(message, code="unsupported_parameter")


RESPONSE_BODIES: Final = ModelBodies(ResponseBody, _unknown, _UNREAD)


def check_values(body: ResponseBody, facts: ModelFacts) -> None:
    """Refuse values that no model takes, and those that this one does not.

    Raises:
        RefusedError: for the first one that is wrong.
    """
    check_speaks(facts, body.model or "")
    _check_simulated(body)
    if body.input is None and body.previous_response_id is None:
        message = (
            "One of \"input\" or \"previous_response_id\" or 'prompt' or 'conversation_id' must be "
            "provided."
        )
        raise RefusedError(message, param="input", code="missing_required_parameter")
    check_decimal("temperature", body.temperature, 0, 2)
    check_decimal("top_p", body.top_p, 0, 1)
    check_metadata(body.metadata)
    _check_counts(body)
    if body.truncation is not None and body.truncation not in _TRUNCATIONS:
        raise not_among("truncation", body.truncation, _TRUNCATIONS)
    verbosity = None if body.text is None else body.text.verbosity
    if verbosity is not None and verbosity not in _VERBOSITIES:
        raise not_among("text.verbosity", verbosity, _VERBOSITIES)
    check_effort(facts, body.effort, "reasoning.effort")
    if facts.reasons(body.effort):
        for name in ("temperature", "top_p"):
            if getattr(body, name) not in (None, 1):
                raise unsupported(name)


def _check_simulated(body: ResponseBody) -> None:
    """Refuse what the simulator does not do, rather than do something else."""
    for name in ("background", "conversation", "prompt"):
        if getattr(body, name):
            message = f"The simulator does not support '{name}'."
            raise RefusedError(message, param=name, code="unsupported_parameter")


def _check_counts(body: ResponseBody) -> None:
    limit = body.max_output_tokens
    if limit is not None and limit < _LEAST_OUTPUT:
        raise out_of_range("max_output_tokens", limit, _LEAST_OUTPUT, _LEAST_OUTPUT)
    if body.max_tool_calls is not None and body.max_tool_calls < 1:
        raise out_of_range("max_tool_calls", body.max_tool_calls, 1, 1)
    if body.top_logprobs is not None and not 0 <= body.top_logprobs <= _MOST_LOGPROBS:
        raise out_of_range("top_logprobs", body.top_logprobs, 0, _MOST_LOGPROBS)


class WantedFormat(NamedTuple):
    """The format of the answer.

    Attributes:
        schema: that the answer must fit; None for plain text.
        tokens: of the schema.
        shown: as the response tells it again.
    """

    schema: Mapping[str, Any] | None
    tokens: int
    shown: Mapping[str, Any]


def read_format(body: ResponseBody, texts: Sequence[str]) -> WantedFormat:
    """Return the format of the answer; `texts` are those of the prompt.

    Raises:
        RefusedError: for a format that cannot be.
    """
    wanted = None if body.text is None else body.text.format
    if wanted is None or wanted.type == "text":
        return WantedFormat(None, 0, _PLAIN_TEXT)
    if wanted.type not in _FORMATS:
        raise not_among("text.format.type", wanted.type, _FORMATS)
    if wanted.type == "json_object":
        if not any("json" in text.lower() for text in texts):
            message = (
                "Response input messages must contain the word 'json' in some form to use "
                "'text.format' of type 'json_object'."
            )
            raise RefusedError(message, param="input")
        return WantedFormat(_ANY_OBJECT, 0, {"type": "json_object"})
    return _json_schema(wanted)


def _json_schema(wanted: _Format) -> WantedFormat:
    if wanted.name is None:
        raise missing("text.format.name")
    check_name("text.format.name", wanted.name)
    name = "text.format.schema"
    if not bytes(wanted.schema):
        raise missing(name)
    if (fault := fault_of(wanted.schema, name, bool(wanted.strict))) is not None:
        message = f"Invalid schema for response_format '{wanted.name}': {fault}"
        raise RefusedError(message, param=name, code="invalid_json_schema")
    schema = schema_of(wanted.schema, name)
    shown = {
        "type": "json_schema",
        "name": wanted.name,
        "description": wanted.description,
        "schema": schema,
        "strict": True if wanted.strict is None else wanted.strict,
    }
    return WantedFormat(schema, count_json(wanted.schema), shown)


def check_context(facts: ModelFacts, tokens: int) -> None:
    """Refuse more tokens of input than the model's context holds."""
    if tokens > facts.context_tokens:
        message = (
            "Your input exceeds the context window of this model. Please adjust your input and "
            "try again."
        )
        raise RefusedError(message, param="input", code="context_length_exceeded")
