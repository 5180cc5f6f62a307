"""What comes with the upload of a file: a multipart form, read piece by piece."""

from __future__ import annotations

import asyncio
import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

import msgspec

from ....exceptions import MissingExtraError
from ..decoding import UNREADABLE
from .file_store import UploadPurpose
from .refusal import RefusedError, missing, not_among, out_of_range, wrong_type

if TYPE_CHECKING:
    from ..exchange import Request

LARGEST_FILE_BYTES: Final = 512 * 1024 * 1024
_LIFE_SECONDS: Final = (3_600, 2_592_000)
_PURPOSES: Final[tuple[UploadPurpose, ...]] = get_args(UploadPurpose)
_FIRST_LINE: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*([^\n]*)")
# Between so many bytes of a large upload, other requests get their turn.
_BYTES_AT_A_STRETCH: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a client sends.

    Attributes:
        filename: as the client calls it.
        purpose: what it is for.
        content: all of it.
        life_seconds: after which it is to be deleted; None where the client names no time.
        identity: equal for equal uploads, whatever the form's boundary.
    """

    filename: str
    purpose: UploadPurpose
    content: bytes
    life_seconds: int | None
    identity: bytes


@dataclass(slots=True)
class _Part:
    """One field of a form."""

    headers: dict[str, bytes] = field(default_factory=dict)
    pieces: list[bytes] = field(default_factory=list)

    def disposition(self) -> dict[bytes, bytes]:
        from python_multipart.multipart import parse_options_header

        return parse_options_header(self.headers.get("content-disposition", b""))[1]


async def read_upload(request: Request, largest_bytes: int = LARGEST_FILE_BYTES) -> Upload:
    """Return the file that a request carries.

    Raises:
        RefusedError: for a request that is no form, a field that is missing or wrong, and a file
            that is empty or too large, or that no batch can be read from.
        MissingExtraError: if what reads forms is not installed.
    """
    fields: dict[str, bytes] = {}
    filename = ""
    for part in await _read_form(request):
        options = part.disposition()
        name = options.get(b"name", b"").decode("utf-8", "replace")
        fields[name] = b"".join(part.pieces)
        if name == "file":
            filename = options.get(b"filename", b"").decode("utf-8", "replace")
    if "file" not in fields:
        raise missing("file")
    purpose, life_seconds = _purpose(fields), _life_seconds(fields)
    content = fields["file"]
    _check_content(content, filename, purpose, largest_bytes)
    identity = await digest_of(content, f"{purpose}\0{filename}".encode())
    return Upload(filename or "upload", purpose, content, life_seconds, identity)


def checked_life(name: str, anchor: object, seconds: object) -> int:
    """Return after how many seconds a file is to be deleted.

    Args:
        name: of the parameter: "expires_after".
        anchor: from when the seconds count; only "created_at" is known.
        seconds: from an hour to 30 days.

    Raises:
        RefusedError: for a part that is missing or wrong.
    """
    if anchor is None:
        raise missing(f"{name}.anchor")
    if not isinstance(anchor, str):
        raise wrong_type(f"{name}.anchor", "a string", anchor)
    if anchor != "created_at":
        raise not_among(f"{name}.anchor", anchor, ("created_at",))
    if seconds is None:
        raise missing(f"{name}.seconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise wrong_type(f"{name}.seconds", "an integer", seconds)
    least, most = _LIFE_SECONDS
    if not least <= seconds <= most:
        raise out_of_range(f"{name}.seconds", seconds, least, most)
    return seconds


def _purpose(fields: dict[str, bytes]) -> UploadPurpose:
    if "purpose" not in fields:
        raise missing("purpose")
    named = fields["purpose"].decode("utf-8", "replace")
    for purpose in _PURPOSES:
        if purpose == named:
            return purpose
    raise not_among("purpose", named, _PURPOSES)


def _life_seconds(fields: dict[str, bytes]) -> int | None:
    anchor = fields.get("expires_after[anchor]")
    seconds = fields.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    number: object = None
    if seconds is not None:
        text = seconds.decode("utf-8", "replace")
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else text
    return checked_life(
        "expires_after", None if anchor is None else anchor.decode("utf-8", "replace"), number
    )


def _check_content(content: bytes, filename: str, purpose: str, largest_bytes: int) -> None:
    if len(content) > largest_bytes:
        message = f"Maximum content size limit ({largest_bytes}) exceeded ({len(content)} bytes)."
        raise RefusedError(message, status=413)
    if purpose == "batch" and not _is_jsonl(content, filename):
        raise RefusedError("Invalid file format for Batch API. Must be .jsonl")
    if not content:
        raise RefusedError("File is empty.", param="file")


def _is_jsonl(content: bytes, filename: str) -> bool:
    """Return whether the name and the first line look so.

    The other lines are checked when a batch is made of them, and so are blank ones; a byte order
    mark passes here too, and fails there.
    """
    if not content or not filename.lower().endswith(".jsonl"):
        return False
    if content.isspace():
        return True
    first = _FIRST_LINE.match(content)
    try:
        return first is not None and isinstance(msgspec.json.decode(first[1]), dict)
    except UNREADABLE:
        return False


async def digest_of(content: bytes, start: bytes) -> bytes:
    """Return 16 bytes of a start and a content; other requests get their turn meanwhile."""
    digest = hashlib.blake2b(start, digest_size=16)
    view = memoryview(content)
    for begin in range(0, len(content), _BYTES_AT_A_STRETCH):
        digest.update(view[begin : begin + _BYTES_AT_A_STRETCH])
        await asyncio.sleep(0)
    return digest.digest()


async def _read_form(request: Request) -> list[_Part]:
    try:
        from python_multipart.exceptions import FormParserError
        from python_multipart.multipart import MultipartParser, parse_options_header
    except ImportError as error:
        raise MissingExtraError("The simulator", "simulator") from error

    # As bytes: a header may hold what is no text.
    content_type = request.headers.get("Content-Type", "").encode("utf-8", "surrogateescape")
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        shown = content_type.decode("utf-8", "replace")
        raise RefusedError(
            f"Invalid Content-Type header ({shown}), expected multipart/form-data with a boundary."
        )
    form = _Form()
    try:
        parser = MultipartParser(options[b"boundary"], form.callbacks())  # type: ignore[arg-type]
        for begin in range(0, len(request.body), _BYTES_AT_A_STRETCH):
            parser.write(request.body[begin : begin + _BYTES_AT_A_STRETCH])
            await asyncio.sleep(0)
    except FormParserError as error:
        raise RefusedError(f"Could not parse the multipart form: {error}") from error
    if not form.ended:
        raise RefusedError("Could not parse the multipart form: its end is missing.")
    return form.parts


class _Form:
    """Collects the parts of a form as a parser finds them."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self.ended = False
        self._name = b""
        self._value = b""

    def callbacks(self) -> dict[str, object]:
        return {
            "on_part_begin": lambda: self.parts.append(_Part()),
            "on_part_data": self._take_data,
            "on_header_field": self._take_name,
            "on_header_value": self._take_value,
            "on_header_end": self._end_header,
            "on_end": self._end,
        }

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self.parts[-1].pieces.append(data[start:end])

    def _take_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        self.parts[-1].headers[self._name.decode("latin-1").lower()] = self._value
        self._name = self._value = b""

    def _end(self) -> None:
        self.ended = True
