"""A request in the JSON of Gemini's `generateContent`."""

from __future__ import annotations

import base64
import binascii
import mimetypes
from typing import TYPE_CHECKING, NotRequired, TypedDict
from urllib.parse import unquote_to_bytes, urlsplit

from ..base.request import TextPart
from ..exceptions import InputError

if TYPE_CHECKING:
    from ..base.request import FilePart, ImagePart, LLMRequest, Message, Part

JSON_MEDIA_TYPE = "application/json"
"""What an answer with a schema is asked to be."""


class GeminiRequestBody(TypedDict):
    """The body of `POST …/models/{model}:generateContent`, and of a request in a Gemini batch."""

    contents: list[dict[str, object]]
    systemInstruction: NotRequired[dict[str, object]]
    generationConfig: NotRequired[dict[str, object]]


def encode_request(request: LLMRequest) -> GeminiRequestBody:
    """Return the JSON-ready body for `request`; what it leaves open is left out.

    Gemini takes no file names: that of a `FilePart` is not sent.

    Raises:
        InputError: for a part whose "data:" address cannot be read.
    """
    body: GeminiRequestBody = {"contents": [_turn(message) for message in request.messages]}
    if request.system is not None:
        body["systemInstruction"] = {"parts": [{"text": request.system}]}
    if settings := _generation_config(request):
        body["generationConfig"] = settings
    return body


def _turn(message: Message) -> dict[str, object]:
    role = "model" if message.role == "assistant" else "user"
    return {"role": role, "parts": [_part(part) for part in message.parts]}


def _part(part: Part) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"text": part.text}
    if part.data is not None:
        return _inline(part.data, part.media_type or "")
    url = part.url or ""
    return _from_data_url(url, part) if url.startswith("data:") else _by_address(url, part)


def _inline(data: bytes, media_type: str) -> dict[str, object]:
    encoded = base64.b64encode(data).decode("ascii")
    return {"inlineData": {"mimeType": media_type, "data": encoded}}


def _by_address(url: str, part: ImagePart | FilePart) -> dict[str, object]:
    media_type = part.media_type or mimetypes.guess_type(urlsplit(url).path)[0]
    file: dict[str, object] = {"fileUri": url}
    if media_type:
        file["mimeType"] = media_type
    return {"fileData": file}


def _from_data_url(url: str, part: ImagePart | FilePart) -> dict[str, object]:
    """Return the bytes that stand in a "data:" address (RFC 2397), inline."""
    header, comma, payload = url.removeprefix("data:").partition(",")
    stated, *parameters = header.split(";")
    data = _payload(payload, is_base64="base64" in parameters) if comma else None
    if data is None:
        raise InputError(
            f"{type(part).__name__}.url starts with 'data:' and cannot be read. It has the form "
            f"'data:image/png;base64,<base64 text>'."
        )
    return _inline(data, part.media_type or stated or "text/plain")


def _payload(text: str, *, is_base64: bool) -> bytes | None:
    data = unquote_to_bytes(text)
    try:
        return base64.b64decode(data, validate=True) if is_base64 else data
    except binascii.Error:
        return None


def _generation_config(request: LLMRequest) -> dict[str, object]:
    settings: dict[str, object] = {
        "temperature": request.temperature,
        "topP": request.top_p,
        "maxOutputTokens": request.max_output_tokens,
        "stopSequences": list(request.stop) or None,
        "seed": request.seed,
    }
    if request.output_schema is not None:
        settings["responseMimeType"] = JSON_MEDIA_TYPE
        settings["responseJsonSchema"] = request.output_schema.json_schema
    return {name: value for name, value in settings.items() if value is not None}
