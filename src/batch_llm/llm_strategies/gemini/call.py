"""One call of Gemini, as the SDK takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

from ...base.schema import OutputSchema
from ...wire.gemini import JSON_MEDIA_TYPE, encode_request

if TYPE_CHECKING:
    from google.genai.types import ContentListUnionDict, GenerateContentConfig

    from ...base.request import LLMRequest, Prompt
    from ...wire.gemini import GeminiRequestBody

GeminiConfig: TypeAlias = "GenerateContentConfig | Mapping[str, object] | None"
"""What the SDK takes as `config`; names of fields in a mapping in snake or in camel case."""

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


@dataclass(slots=True)
class GeminiCall:
    """What `generate_content` is called with, and how its answer is read.

    Attributes:
        contents: the conversation.
        config: the settings; the strategy's own object where nothing was laid over it.
        schema: what the answer's text has to fit, or None.
        wants_json: whether a cut answer is of no use.
        private: texts that no error may quote.
        cache_name: the cache that the call builds on, or None.
    """

    contents: ContentListUnionDict
    config: GeminiConfig
    schema: OutputSchema | None
    wants_json: bool
    private: tuple[str, ...]
    cache_name: str | None = None


def encode_call(prompt: Prompt, config: GeminiConfig, schema: OutputSchema | None) -> GeminiCall:
    """Return the call that asks for `prompt`.

    A text is sent as it is, with `config` as it is. What an `LLMRequest` says is laid over it.

    Args:
        prompt: what to ask.
        config: the strategy's settings; never changed.
        schema: that of `config` (`schema_of_config`).

    Raises:
        InputError: for a part of the request that cannot be read.
    """
    if isinstance(prompt, str):
        return GeminiCall(prompt, config, schema, _asks_json(config), (prompt,))
    body = encode_request(prompt)
    changed = with_fields(config, _fields(prompt, body))
    return GeminiCall(
        contents=cast("ContentListUnionDict", body["contents"]),
        config=changed,
        schema=prompt.output_schema or schema,
        wants_json=_asks_json(changed),
        private=(*(message.text for message in prompt.messages), prompt.system or ""),
    )


def schema_of_config(config: GeminiConfig) -> OutputSchema | None:
    """Return the schema that `config` asks answers to fit, or None.

    A pydantic model is one, and so is a JSON schema in `response_json_schema`. What else the SDK
    takes as `response_schema` is in a dialect of Google's, and gives None.
    """
    written = config_field(config, "response_json_schema")
    for source in (written, config_field(config, "response_schema")):
        if isinstance(source, type) and hasattr(source, "model_json_schema"):
            return OutputSchema(source)
    return OutputSchema(written) if isinstance(written, Mapping) else None


def config_field(config: GeminiConfig, name: str) -> object:
    """Return the field `name` (in snake case) of `config`, or None."""
    return _option(config, name)


def with_fields(config: GeminiConfig, fields: Mapping[str, object]) -> GeminiConfig:
    """Return `config` with `fields` (in snake case) laid over it; `config` stays as it is."""
    if not fields:
        return config
    if config is None:
        return dict(fields)
    if isinstance(config, Mapping):
        # The SDK refuses a field that is there in both of its spellings.
        return {snake(name): value for name, value in config.items()} | dict(fields)
    return config.model_copy(update=dict(fields))


# Where and how calls travel, and with which key: none of it changes an answer.
_HTTP_OPTIONS_THAT_TELL = ("api_version", "extra_body")


def told_config(config: GeminiConfig) -> dict[str, object]:
    """Return the fields of `config` that change answers, by their names in snake case."""
    if config is None:
        return {}
    if isinstance(config, Mapping):
        fields = {snake(name): value for name, value in config.items()}
    else:
        fields = {name: getattr(config, name) for name in type(config).model_fields}
    told = {name: value for name, value in fields.items() if value is not None}
    http_options = told.pop("http_options", None)
    for name in _HTTP_OPTIONS_THAT_TELL:
        if (value := _option(http_options, name)) is not None:
            told[f"http_{name}"] = value
    return told


def _option(options: object, name: str) -> object:
    if isinstance(options, Mapping):
        return options.get(name, options.get(_camel(name)))
    return getattr(options, name, None)


def _fields(request: LLMRequest, body: GeminiRequestBody) -> dict[str, object]:
    settings = body.get("generationConfig", {})
    fields = {snake(name): value for name, value in settings.items()}
    if request.system is not None:
        fields["system_instruction"] = request.system
    if request.output_schema is not None:
        fields["response_schema"] = None  # of the two schemas, Gemini takes one
    return fields


def _asks_json(config: GeminiConfig) -> bool:
    if config_field(config, "response_mime_type") == JSON_MEDIA_TYPE:
        return True
    schemas = ("response_schema", "response_json_schema")
    return any(config_field(config, name) is not None for name in schemas)


def snake(name: str) -> str:
    """Return a field's name in snake case, in which the SDK has it."""
    return _CAPITAL.sub("_", name).lower()


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
