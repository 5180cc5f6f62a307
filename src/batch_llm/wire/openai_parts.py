"""What OpenAI's Chat Completions and Responses write down in the same way."""

from __future__ import annotations

import base64
import mimetypes
from functools import lru_cache
from typing import TYPE_CHECKING

from .strict_schema import strict_schema

if TYPE_CHECKING:
    from ..base.request import FilePart, ImagePart
    from ..base.schema import OutputSchema


def address_of(part: ImagePart | FilePart) -> str:
    """Return where the bytes are: the part's own address, or a data URL that holds them."""
    if part.url is not None:
        return part.url
    encoded = base64.b64encode(part.data or b"").decode("ascii")
    return f"data:{part.media_type};base64,{encoded}"


def file_name_of(part: FilePart) -> str:
    """Return the name of a file: OpenAI refuses one without."""
    return part.name or f"file{mimetypes.guess_extension(part.media_type or '') or ''}"


@lru_cache(maxsize=128)  # by identity: a strategy's schema is one object for all its calls
def named_schema(schema: OutputSchema) -> dict[str, object]:
    """Return a schema with its name, and strict where it can be; shared, not to be changed."""
    strict = strict_schema(schema.json_schema)
    named: dict[str, object] = {"name": schema.name, "schema": strict or schema.json_schema}
    if strict:
        named["strict"] = True
    return named
