"""What a client asks of a batch: its name, and its lines, in the request itself or in a file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from ..decoding import UNREADABLE
from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_INLINE_BYTES: Final = 20 * 1024**2
"""A request that brings its lines along may have so many."""
DISPLAY_NAME_CHARACTERS: Final = 128

_LINES_AT_A_STRETCH: Final = 500


@dataclass(slots=True)
class BatchLine:
    """One request of a batch.

    Attributes:
        number: in the order of the input, from 0.
        key: the client's name for it: of a file, its `key`; inline, the `key` of its metadata;
            None where there is none.
        request: as the client wrote it, in JSON.
        metadata: as the client wrote it, in JSON; None for none, and in files.
    """

    number: int
    key: str | None
    request: bytes
    metadata: bytes | None = None


@dataclass(slots=True)
class BatchInput:
    """What the request that makes a batch says.

    Attributes:
        display_name: None for none.
        file_name: "files/abc", where the lines are in a file; None where they are inline.
        lines: that came with the request; none where they are in a file.
    """

    display_name: str | None
    file_name: str | None
    lines: list[BatchLine]


class _Inlined(msgspec.Struct):
    request: msgspec.Raw
    metadata: dict[str, msgspec.Raw] | None = None


class _Requests(msgspec.Struct):
    requests: list[_Inlined] | None = None


class _InputConfig(msgspec.Struct):
    file_name: str | None = None
    file_name_camel: str | None = msgspec.field(name="fileName", default=None)
    requests: _Requests | None = None


class _Batch(msgspec.Struct):
    display_name: str | None = None
    display_name_camel: str | None = msgspec.field(name="displayName", default=None)
    input_config: _InputConfig | None = None
    input_config_camel: _InputConfig | None = msgspec.field(name="inputConfig", default=None)


class _Body(msgspec.Struct):
    batch: _Batch


class _FileLine(msgspec.Struct):
    request: dict[str, msgspec.Raw]
    key: str | None = None


_BODIES: Final = msgspec.json.Decoder(_Body)
_FILE_LINES: Final = msgspec.json.Decoder(_FileLine)
_KEYS: Final = msgspec.json.Decoder(str)
_ENCODER: Final = msgspec.json.Encoder()


def decode_input(body: bytes) -> BatchInput:
    """Return what a request says, in either spelling of its fields.

    Raises:
        RefusedError: if it is too large, is no such request, or names no lines.
    """
    if len(body) > MOST_INLINE_BYTES:
        raise RefusedError(f"Request payload size exceeds the limit: {MOST_INLINE_BYTES} bytes.")
    batch = _decoded(body).batch
    config = batch.input_config_camel or batch.input_config
    if config is None:
        raise RefusedError("batch.input_config: the field is required.")
    return BatchInput(
        _checked_name(batch.display_name_camel or batch.display_name), *_source(config)
    )


async def decode_file(content: bytes) -> list[BatchLine]:
    """Return the lines of a file; other requests get their turn meanwhile.

    Raises:
        RefusedError: if there is none, or if one cannot be read: says which, and why.
    """
    lines: list[BatchLine] = []
    for number, text in enumerate(content.splitlines(), start=1):
        if number % _LINES_AT_A_STRETCH == 0:
            await asyncio.sleep(0)
        if not text.strip():
            continue
        try:
            line = _FILE_LINES.decode(text)
        except UNREADABLE as error:
            raise RefusedError(f"Line {number} cannot be read: {error}") from error
        lines.append(BatchLine(len(lines), line.key, _ENCODER.encode(line.request)))
    if not lines:
        raise RefusedError("The file holds no request.")
    return lines


def _decoded(body: bytes) -> _Body:
    try:
        return _BODIES.decode(body)
    except UNREADABLE as error:
        raise RefusedError(f"Invalid JSON payload received. {error}") from error


def _checked_name(name: str | None) -> str | None:
    if name is not None and len(name) > DISPLAY_NAME_CHARACTERS:
        raise RefusedError(
            f"batch.display_name has {len(name)} characters; at most "
            f"{DISPLAY_NAME_CHARACTERS} are allowed."
        )
    return name


def _source(config: _InputConfig) -> tuple[str | None, list[BatchLine]]:
    name = config.file_name_camel or config.file_name
    inlined = (config.requests.requests or []) if config.requests is not None else []
    if bool(name) == bool(inlined):
        raise RefusedError(
            "batch.input_config: exactly one of file_name and requests is required, "
            "and requests must not be empty."
        )
    return name or None, _inline_lines(inlined)


def _inline_lines(inlined: Sequence[_Inlined]) -> list[BatchLine]:
    return [
        BatchLine(
            number,
            _key(one.metadata),
            bytes(one.request),
            None if one.metadata is None else _ENCODER.encode(one.metadata),
        )
        for number, one in enumerate(inlined)
    ]


def _key(metadata: dict[str, msgspec.Raw] | None) -> str | None:
    if metadata is None or "key" not in metadata:
        return None
    try:
        return _KEYS.decode(metadata["key"])
    except msgspec.DecodeError:  # a key that is no text is given back, but names nothing
        return None
