"""The most tokens that a call of Gemini can be billed for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ...base.request import LLMRequest
from ...base.schema import OutputSchema
from ..token_bounds import (
    bound_of,
    check_texts,
    most_output_tokens,
    no_bound,
    size_of_messages,
    size_of_text,
)
from .call import config_field, snake

if TYPE_CHECKING:
    from ...base.request import Prompt
    from ...base.strategy import PricedModel
    from ...base.usage import TokenBound
    from .call import GeminiConfig

# Settings that change neither the price of a token nor how many answers there are, and those that
# are counted here. Whatever is not known to be so refuses a bound.
_HARMLESS: Final = frozenset(
    {
        "audio_timestamp",
        "automatic_function_calling",
        "candidate_count",
        "frequency_penalty",
        "http_options",
        "labels",
        "logprobs",
        "max_output_tokens",
        "media_resolution",
        "presence_penalty",
        "response_json_schema",
        "response_logprobs",
        "response_mime_type",
        "response_schema",
        "safety_settings",
        "seed",
        "should_return_http_response",
        "stop_sequences",
        "system_instruction",
        "temperature",
        "thinking_config",
        "top_k",
        "top_p",
    }
)
_TEXTS: Final = ("system_instruction", "response_schema", "response_json_schema")
# What the SDK and the API call parts that are no text, in snake and in camel case.
_BINARY: Final = frozenset(
    {"inline_data", "file_data", "file_uri", "uri", "inlineData", "fileData", "fileUri", "data"}
)


def bound_of_call(
    prompt: Prompt, config: GeminiConfig, priced: PricedModel | None, common_tokens: int
) -> TokenBound:
    """Return the most tokens of one call.

    Args:
        prompt: what is asked.
        config: the strategy's settings.
        priced: which model answers.
        common_tokens: the most tokens of what all calls send alike (`common_tokens`).

    Raises:
        ConfigurationError: for a part that is not text.
    """
    request = LLMRequest(prompt) if isinstance(prompt, str) else prompt
    check_texts(request)
    size = common_tokens + size_of_messages(request)
    limit = request.max_output_tokens or config_field(config, "max_output_tokens")
    most = limit if isinstance(limit, int) else most_output_tokens(priced)
    answers = config_field(config, "candidate_count")
    return bound_of(size, request, most, answers if isinstance(answers, int) else 1)


def common_tokens(config: GeminiConfig, shared: object = None) -> int:
    """Return the most tokens of what all calls of a strategy send alike.

    Args:
        config: the strategy's settings.
        shared: content that goes before each prompt, in the SDK's types or as JSON.

    Raises:
        ConfigurationError: for content that is not text, and for settings of which it is not known
            that they leave the price as it is.
    """
    _check_config(config)
    texts = sum(size_of_content(config_field(config, name)) for name in _TEXTS)
    return texts + size_of_content(shared)


def size_of_content(content: Any) -> int:
    """Return the most tokens of content in the SDK's types, or of the same as JSON.

    Raises:
        ConfigurationError: for whatever is not text.
    """
    if content is None:
        return 0
    if isinstance(content, str):
        return size_of_text(content)
    if isinstance(content, (bool, int, float)):
        return len(repr(content))
    if isinstance(content, Mapping):
        return sum(_size_of_field(name, value) for name, value in content.items())
    if isinstance(content, (list, tuple)):
        return sum(map(_size_of_item, content))
    if isinstance(content, type) and hasattr(content, "model_json_schema"):
        # The SDK puts it into a dialect of its own, a little longer.
        return 2 * size_of_content(OutputSchema(content).json_schema)
    if hasattr(content, "model_dump"):
        return size_of_content(content.model_dump(mode="python", exclude_none=True))
    if hasattr(content, "value") and isinstance(content.value, str):  # an SDK's enum
        return size_of_text(content.value)
    raise _no_text(type(content).__name__)


def _size_of_field(name: object, value: object) -> int:
    if name in _BINARY and value is not None:
        raise _no_text(str(name))
    # Names and punctuation count as well, as they do in a schema.
    return 4 + size_of_text(str(name)) + size_of_content(value)


def _size_of_item(item: object) -> int:
    return 32 + size_of_content(item)  # an item may be a turn, with markup around it


def _no_text(what: str) -> Exception:
    return no_bound(
        f"it has content of the kind {what}, whose tokens only Gemini can count", "Send text only."
    )


def _check_config(config: GeminiConfig) -> None:
    names = _names_set(config)
    if unknown := sorted(names - _HARMLESS):
        raise no_bound(
            f"config sets {', '.join(unknown)}, which may change the price of a call or make "
            f"further ones",
            "Leave it out.",
        )
    options = config_field(config, "http_options") if "http_options" in names else None
    if options is not None and config_field(options, "extra_body"):  # type: ignore[arg-type]
        raise no_bound("config.http_options has an extra_body", "Leave it out.")


def _names_set(config: GeminiConfig) -> set[str]:
    if config is None:
        return set()
    if isinstance(config, Mapping):
        return {snake(name) for name, value in config.items() if value is not None}
    return {name for name in config.model_fields_set if getattr(config, name) is not None}
