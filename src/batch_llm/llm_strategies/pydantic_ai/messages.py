"""An `LLMRequest` in pydantic-ai's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...base.request import FilePart, ImagePart, TextPart
from ...exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_ai.messages import ModelMessage, UserContent
    from pydantic_ai.models import Model, ModelRequestParameters
    from pydantic_ai.settings import ModelSettings

    from ...base.request import LLMRequest, Message, Part
    from ...base.schema import OutputSchema


def encode_messages(messages: Sequence[Message], system: str | None) -> list[ModelMessage]:
    """Return a conversation as pydantic-ai messages, the system prompt first.

    Raises:
        InputError: for an image or file in an assistant's turn, or a `data:` URL that is none.
    """
    from pydantic_ai.messages import ModelRequest, ModelResponse, SystemPromptPart, UserPromptPart
    from pydantic_ai.messages import TextPart as ResponseTextPart

    encoded: list[ModelMessage] = []
    if system:
        encoded.append(ModelRequest(parts=[SystemPromptPart(system)]))
    for message in messages:
        if message.role == "assistant":
            encoded.append(ModelResponse(parts=[ResponseTextPart(_only_text(message))]))
        else:
            encoded.append(ModelRequest(parts=[UserPromptPart(encode_content(message))]))
    return encoded


def encode_content(message: Message) -> str | list[UserContent]:
    """Return a user's turn as pydantic-ai content.

    Raises:
        InputError: for a `data:` URL that is not base64.
    """
    if isinstance(message.content, str):
        return message.content
    return [_encode_part(part) for part in message.content]


def _only_text(message: Message) -> str:
    if not all(isinstance(part, TextPart) for part in message.parts):
        raise InputError("An assistant's message holds text parts only, no image or file.")
    return message.text


def _encode_part(part: Part) -> UserContent:
    from pydantic_ai.messages import BinaryContent, DocumentUrl, ImageUrl

    if isinstance(part, TextPart):
        return part.text
    name = part.name if isinstance(part, FilePart) else None
    if part.data is not None:
        # `media_type` is there where `data` is: the part checked it.
        return BinaryContent(part.data, media_type=part.media_type or "", identifier=name)
    url = part.url or ""
    if url.startswith("data:"):
        return _decode_data_url(url)
    if isinstance(part, ImagePart):
        return ImageUrl(url, media_type=part.media_type)
    return DocumentUrl(url, media_type=part.media_type, identifier=name)


def _decode_data_url(url: str) -> UserContent:
    from pydantic_ai.messages import BinaryContent

    try:
        return BinaryContent.from_data_uri(url)
    except ValueError as error:
        raise InputError(
            f"A data URL of {len(url)} characters is not 'data:<media type>;base64,<data>'."
        ) from error


def encode_sampling(request: LLMRequest) -> ModelSettings:
    """Return the sampling parameters that the request sets."""
    settings: ModelSettings = {}
    if request.max_output_tokens is not None:
        settings["max_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        settings["temperature"] = request.temperature
    if request.top_p is not None:
        settings["top_p"] = request.top_p
    if request.stop:
        settings["stop_sequences"] = list(request.stop)
    if request.seed is not None:
        settings["seed"] = request.seed
    return settings


# The processor ends an attempt that takes too long. The client's own limit stands behind it, so
# that a long `timeout_per_item` is not cut short by the client's default.
_CLIENT_GRACE_SECONDS = 5.0


def client_settings(model: Model, timeout: float) -> ModelSettings:
    """Return settings for the SDK's client: its own retries off, and time enough.

    Retries are the processor's: those of a client would pass its limits unseen.

    Args:
        model: what it would warn about is left out.
        timeout: seconds the attempt may take.
    """
    settings = retries_off(model)
    if "timeout" not in model.unsupported_settings:
        settings["timeout"] = timeout + _CLIENT_GRACE_SECONDS
    return settings


def retries_off(model: object) -> ModelSettings:
    """Return the setting that turns off a client's own retries, where `model` knows it."""
    unsupported = getattr(model, "unsupported_settings", frozenset[str]())
    return {} if "max_retries" in unsupported else {"max_retries": 0}


def encode_parameters(schema: OutputSchema | None, model: Model) -> ModelRequestParameters:
    """Return how the answer's shape is asked for.

    A model that takes a JSON schema natively gets it so. For others the library picks what the
    model's profile prefers: a call of an output tool, or the schema in the instructions.
    """
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    if schema is None:
        return ModelRequestParameters()
    description = _description(schema.json_schema)
    shape = OutputObjectDefinition(
        json_schema=schema.json_schema, name=schema.name, description=description
    )
    if _takes_schema(model):
        return ModelRequestParameters(output_mode="native", output_object=shape)
    tool = ToolDefinition(
        name=schema.name,
        parameters_json_schema=schema.json_schema,
        description=description or "The answer.",
        kind="output",
    )
    return ModelRequestParameters(
        output_mode="auto", output_object=shape, output_tools=[tool], allow_text_output=False
    )


def _takes_schema(model: Model) -> bool:
    try:
        return bool(model.profile.get("supports_json_schema_output"))
    except NotImplementedError:  # a router of models has no profile; each of them decides
        return False


def _description(json_schema: dict[str, Any]) -> str | None:
    description = json_schema.get("description")
    return description if isinstance(description, str) else None
