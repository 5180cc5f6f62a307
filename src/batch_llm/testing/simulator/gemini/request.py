"""The JSON that clients send: its shape, in Google's camel case and in snake case.

Google reads JSON by its protocol buffers: names in either case at every level, `null` for what is
left out, a number in quotes for a number, one thing in the place of a list of one; and an unknown
name is an error. Nearly all requests are in camel case, and are decoded at once; only what does
not fit so is put into camel case first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ..decoding import UNREADABLE, misfit_of
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..decoding import Misfit


class Blob(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Bytes, in Base64."""

    mime_type: str | None = None
    data: str | None = None
    display_name: str | None = None


class FileData(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """The address of a file."""

    file_uri: str | None = None
    mime_type: str | None = None
    display_name: str | None = None


class FunctionCall(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A function that the model asked for."""

    name: str | None = None
    args: dict[str, Any] | None = None
    id: str | None = None
    partial_args: Any = None
    will_continue: bool | None = None


class FunctionResponse(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """What a function returned."""

    name: str | None = None
    response: dict[str, Any] | None = None
    id: str | None = None
    parts: Any = None
    scheduling: str | None = None
    will_continue: bool | None = None


class Part(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """One part of a turn; of what it can be, exactly one is set."""

    text: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: dict[str, Any] | None = None
    code_execution_result: dict[str, Any] | None = None
    tool_call: dict[str, Any] | None = None
    tool_response: dict[str, Any] | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    video_metadata: dict[str, Any] | None = None
    media_resolution: Any = None
    part_metadata: dict[str, Any] | None = None
    audio_transcription: Any = None
    media_processing: Any = None
    speech_metadata: Any = None
    document_metadata: Any = None
    spreadsheet_metadata: Any = None
    audio_metadata: Any = None


class Content(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """One turn."""

    parts: list[Part] | None = None
    role: str | None = None


class FunctionDeclaration(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """A function that the model may ask for."""

    name: str | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    parameters_json_schema: Any = None
    response: dict[str, Any] | None = None
    response_json_schema: Any = None
    behavior: str | None = None


class Tool(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """Functions, or one of Google's own tools."""

    function_declarations: list[FunctionDeclaration] | None = None
    google_search: Any = None
    google_search_retrieval: Any = None
    google_maps: Any = None
    code_execution: Any = None
    computer_use: Any = None
    file_search: Any = None
    url_context: Any = None
    mcp_servers: Any = None


class FunctionCallingConfig(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """Whether the model may, must or must not ask for a function."""

    mode: str | None = None
    allowed_function_names: list[str] | None = None
    stream_function_call_arguments: bool | None = None


class ToolConfig(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """How tools are used."""

    function_calling_config: FunctionCallingConfig | None = None
    retrieval_config: Any = None
    include_server_side_tool_invocations: bool | None = None


class SafetySetting(msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """At which probability of a harm an answer is withheld."""

    category: str | None = None
    threshold: str | None = None
    method: str | None = None


class ThinkingConfig(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """How much the model thinks, and whether its thoughts are shown."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class GenerationConfig(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """How an answer is made."""

    max_output_tokens: int | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    candidate_count: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: str | None = None
    response_schema: dict[str, Any] | None = None
    response_json_schema: Any = None
    thinking_config: ThinkingConfig | None = None
    response_modalities: list[str] | None = None
    media_resolution: Any = None
    speech_config: Any = None
    image_config: Any = None
    enable_enhanced_civic_answers: bool | None = None
    audio_transcription_config: Any = None


class GenerateContentRequest(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """The body of `generateContent`, and a request in a batch."""

    contents: list[Content] | None = None
    system_instruction: Content | None = None
    generation_config: GenerationConfig | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None
    safety_settings: list[SafetySetting] | None = None
    cached_content: str | None = None
    model: str | None = None
    labels: dict[str, str] | None = None
    service_tier: str | None = None
    continuation_token: str | None = None
    store: bool | None = None


class CountTokensRequest(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """The body of `countTokens`: turns, or a whole request."""

    contents: list[Content] | None = None
    generate_content_request: GenerateContentRequest | None = None


class EmbedContentRequest(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """The body of `embedContent`."""

    content: Content | None = None
    model: str | None = None
    task_type: str | None = None
    title: str | None = None
    output_dimensionality: int | None = None
    embed_content_config: dict[str, Any] | None = None


class BatchEmbedContentsRequest(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """The body of `batchEmbedContents`."""

    requests: list[EmbedContentRequest] | None = None


class CachedContentRequest(
    msgspec.Struct, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """The body of a create or a patch of `cachedContents`."""

    model: str | None = None
    contents: list[Content] | None = None
    system_instruction: Content | None = None
    tools: list[Tool] | None = None
    tool_config: ToolConfig | None = None
    ttl: str | None = None
    expire_time: str | None = None
    display_name: str | None = None
    name: str | None = None


TRequest = TypeVar("TRequest")

_DECODERS: Final[dict[type, msgspec.json.Decoder[Any]]] = {
    shape: msgspec.json.Decoder(shape)
    for shape in (
        GenerateContentRequest,
        CountTokensRequest,
        EmbedContentRequest,
        BatchEmbedContentsRequest,
        CachedContentRequest,
    )
}
_LISTS: Final = frozenset(
    {"contents", "parts", "tools", "functionDeclarations", "safetySettings", "stopSequences"}
)
_FREE: Final = frozenset(
    {
        "args",
        "labels",
        "parameters",
        "parametersJsonSchema",
        "partMetadata",
        "response",
        "responseJsonSchema",
        "responseSchema",
    }
)
"""What holds names of the client's own, which stay as they are."""


def decode(body: bytes, shape: type[TRequest]) -> TRequest:
    """Return the request in a body.

    Raises:
        RefusedError: for a body that is none.
    """
    try:
        request: TRequest = _DECODERS[shape].decode(body)
    except UNREADABLE:
        return _converted(_parsed(body), shape)
    return request


def _converted(value: object, shape: type[TRequest]) -> TRequest:
    try:
        return msgspec.convert(_in_camel_case(value), shape, strict=False)
    except msgspec.ValidationError as error:
        raise _refused(misfit_of(error)) from None
    except RecursionError:
        raise RefusedError("The request is nested too deeply.", field="") from None


def _parsed(body: bytes) -> object:
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body)
    except UNREADABLE as error:
        message = f"Invalid JSON payload received. {error}"
        raise RefusedError(message, field="") from None


def _in_camel_case(value: object) -> object:
    if isinstance(value, list):
        return [_in_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    renamed: dict[str, object] = {}
    for written, inner in value.items():
        name = _camel(written) if isinstance(written, str) and "_" in written else written
        if inner is None:
            continue
        known = inner if name in _FREE else _in_camel_case(inner)
        renamed[name] = [known] if name in _LISTS and not isinstance(known, list) else known
    return renamed


def _camel(name: str) -> str:
    first, *others = name.removeprefix("_").split("_")
    return first + "".join(word[:1].upper() + word[1:] for word in others)


def _refused(misfit: Misfit) -> RefusedError:
    """Return the refusal of a value that does not fit, in Google's words."""
    path = (misfit.path or "").removeprefix(".")
    if misfit.unknown is not None:
        where = f" at '{path}'" if path else ""
        description = f'Invalid JSON payload received. Unknown name "{misfit.unknown}"{where}'
        return RefusedError(f"{description}: Cannot find field.", field=path)
    if misfit.expected:
        return RefusedError(f"Invalid value at '{path}': {misfit.message}.", field=path)
    return RefusedError(f"Invalid JSON payload received. {misfit.message}", field=path)
