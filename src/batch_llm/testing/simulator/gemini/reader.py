"""From a `GenerateContentRequest` to the call that it asks for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..call import ModelCall, Tool
from ..tokens import count_json
from .prompt import TEXT, Prompt
from .refusal import RefusedError, refused_field
from .schemas import json_schema_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..call import Sender
    from .cache_store import Cache, CacheStore
    from .models import Model
    from .prompt import PromptReader
    from .request import GenerateContentRequest, GenerationConfig, ToolConfig
    from .request import Tool as ToolSpec

_MOST_STOPS: Final = 5
_JSON: Final = "application/json"
_CHOICE: Final = "text/x.enum"
_MIME_TYPES: Final = ("text/plain", _JSON, "application/xml", "application/yaml", _CHOICE)
_MODES: Final = frozenset({"MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"})
_RANGES: Final = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}


@dataclass(slots=True)
class Asked:
    """A call, and what its answer has to mind.

    Attributes:
        call: in no provider's words.
        model: that answers.
        tokens: of the prompt, the cache's included, by modality.
        cached: those of them that are read from a cache.
        rated: whether the client asked about safety, and gets ratings.
        shows_thoughts: whether the client asked to see what the model thinks.
        is_choice: whether the answer is one of some words, and not JSON.
    """

    call: ModelCall
    model: Model
    tokens: Mapping[str, int]
    cached: Mapping[str, int]
    rated: bool
    shows_thoughts: bool
    is_choice: bool


class RequestReader:
    """Reads requests, live ones and those of batches.

    Args:
        prompts: reads turns.
        caches: what calls can build on.
    """

    def __init__(self, prompts: PromptReader, caches: CacheStore) -> None:
        self._prompts = prompts
        self._caches = caches

    def read(self, request: GenerateContentRequest, model: Model, sender: Sender) -> Asked:
        """Return what is asked.

        Raises:
            RefusedError: for a request that the real service refuses.
        """
        if not request.contents:
            raise refused_field("contents", "contents is not specified")
        config = request.generation_config
        if config is not None:
            _check(config, model)
        cache = self._cache(request, model, sender.key)
        written: Sequence[ToolSpec] = request.tools or ()
        own = self._prompts.read(request.contents, request.system_instruction, written, sender.key)
        schema = None if config is None else _schema(config, own.tokens)
        if cache is not None:
            written, tool_config = cache.tools, cache.tool_config
        else:
            tool_config = request.tool_config
        cached = Counter[str]() if cache is None else cache.prompt.tokens
        prompt = _together(cache, own)
        call = _call(
            request, model, sender, prompt, cached.total(), schema, _tools(written), tool_config
        )
        return Asked(
            call,
            model,
            prompt.tokens,
            cached,
            rated=bool(request.safety_settings),
            shows_thoughts=_shows_thoughts(config),
            is_choice=config is not None and config.response_mime_type == _CHOICE,
        )

    def _cache(self, request: GenerateContentRequest, model: Model, key: str) -> Cache | None:
        name = request.cached_content
        if not name:
            return None
        cache = self._caches.named(key, name.removeprefix("cachedContents/"))
        if cache.model.name != model.name:
            raise RefusedError(
                f"Model used by GenerateContent request ({model.name}) and CachedContent "
                f"({cache.model.name}) has to be the same."
            )
        if request.system_instruction is not None or request.tools or request.tool_config:
            raise RefusedError(
                "CachedContent can not be used with GenerateContent request setting "
                "system_instruction, tools or tool_config.\n\nProposed fix: move those values to "
                "CachedContent from GenerateContent request."
            )
        return cache


def _call(
    request: GenerateContentRequest,
    model: Model,
    sender: Sender,
    prompt: Prompt,
    cached_tokens: int,
    schema: Mapping[str, Any] | None,
    tools: Sequence[Tool],
    tool_config: ToolConfig | None,
) -> ModelCall:
    config = request.generation_config
    return ModelCall(
        provider="gemini",
        operation="generateContent",
        model=model.id,
        key=sender.key,
        messages=prompt.turns,
        system=prompt.system,
        input_tokens=prompt.total_tokens,
        schema=schema,
        tools=tools,
        forced_tool=_forced_tool(tools, tool_config),
        max_output_tokens=None if config is None else config.max_output_tokens,
        stop=() if config is None else config.stop_sequences or (),
        lane=sender.lane,
        custom_id=sender.custom_id,
        headers=sender.headers,
        cached_input_tokens=cached_tokens,
    )


def _together(cache: Cache | None, own: Prompt) -> Prompt:
    if cache is None:
        return own
    before = cache.prompt
    return Prompt([*before.turns, *own.turns], before.system, before.tokens + own.tokens)


def _check(config: GenerationConfig, model: Model) -> None:
    for name, (least, most) in _RANGES.items():
        value = getattr(config, name)
        if value is not None and not least <= value <= most:
            problem = f"{name} must be in the range [{least}, {most}]."
            raise refused_field(f"generation_config.{name}", problem)
    if config.max_output_tokens is not None:
        if config.max_output_tokens < 1:
            problem = "max_output_tokens must be positive."
            raise refused_field("generation_config.max_output_tokens", problem)
        model.check_output(config.max_output_tokens)
    if len(config.stop_sequences or ()) > _MOST_STOPS:
        problem = f"the number of stop_sequences must not exceed {_MOST_STOPS}."
        raise refused_field("generation_config.stop_sequences", problem)
    if config.candidate_count not in (None, 0, 1):
        raise RefusedError(f"Multiple candidates is not enabled for {model.name}")
    if config.response_logprobs and not model.reports_log_probabilities:
        raise RefusedError(f"Logprobs is not enabled for {model.name}")


def _schema(config: GenerationConfig, tokens: Counter[str]) -> Mapping[str, Any] | None:
    """Return the schema that the answer must fit, and count its text; None for plain text."""
    mime_type = config.response_mime_type or "text/plain"
    if mime_type not in _MIME_TYPES:
        allowed = ", ".join(f"`{allowed}`" for allowed in _MIME_TYPES)
        problem = f"allowed mimetypes are {allowed}."
        raise refused_field("generation_config.response_mime_type", problem)
    googles, standard = config.response_schema, config.response_json_schema
    if googles is None and standard is None:
        return {"type": "object"} if mime_type == _JSON else None
    if googles is not None and standard is not None:
        problem = "only one of response_schema and response_json_schema may be set."
        raise refused_field("generation_config.response_json_schema", problem)
    name = "response_schema" if googles is not None else "response_json_schema"
    path = f"generation_config.{name}"
    if mime_type not in (_JSON, _CHOICE):
        raise refused_field(path, f"response_mime_type must be `{_JSON}` when {name} is set.")
    tokens[TEXT] += count_json(msgspec.json.encode(googles or standard))
    if googles is not None:
        schema = json_schema_of(googles, path)
    elif isinstance(standard, dict):
        schema = standard
    else:
        raise RefusedError(f"Invalid value at '{path}': a schema is an object.", field=path)
    return schema


def _tools(written: Sequence[ToolSpec]) -> list[Tool]:
    tools = []
    for place, tool in enumerate(written):
        for index, function in enumerate(tool.function_declarations or ()):
            path = f"tools[{place}].function_declarations[{index}]"
            if not function.name:
                problem = "Invalid function name. Must start with a letter or an underscore."
                raise refused_field(f"{path}.name", problem)
            if function.parameters is not None:
                schema = json_schema_of(function.parameters, f"{path}.parameters")
            elif isinstance(function.parameters_json_schema, dict):
                schema = function.parameters_json_schema
            else:
                schema = {"type": "object", "properties": {}}
            tools.append(Tool(function.name, schema))
    return tools


def _forced_tool(tools: Sequence[Tool], config: ToolConfig | None) -> str | None:
    calling = None if config is None else config.function_calling_config
    if calling is None:
        return None
    path = "tool_config.function_calling_config"
    mode = (calling.mode or "AUTO").upper()
    if mode not in _MODES:
        raise RefusedError(f"Invalid value at '{path}.mode', {calling.mode!r}", field=path)
    allowed = calling.allowed_function_names or ()
    if allowed and mode not in ("ANY", "VALIDATED"):
        problem = "should only be set when the function calling mode is ANY or VALIDATED."
        raise refused_field(f"{path}.allowed_function_names", problem)
    known = {tool.name for tool in tools}
    for name in allowed:
        if name not in known:
            problem = f"{name} is not among the function declarations."
            raise refused_field(f"{path}.allowed_function_names", problem)
    if mode != "ANY":
        return None
    if not tools:
        problem = "mode ANY needs function declarations."
        raise refused_field(f"{path}.mode", problem)
    return allowed[0] if allowed else ""


def _shows_thoughts(config: GenerationConfig | None) -> bool:
    thinking = None if config is None else config.thinking_config
    return thinking is not None and bool(thinking.include_thoughts)
