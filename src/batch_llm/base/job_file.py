"""The file of a job, as a part of its request."""

from __future__ import annotations

import codecs
import stat
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from ..exceptions import InputError
from .request import FilePart, ImagePart, TextPart

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .request import Part

TEXT: Final = "text/plain"
PDF: Final = "application/pdf"

_MEDIA_TYPES: Final = {
    ".pdf": PDF,
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
_TEXTS: Final = frozenset(
    [
        *[".txt", ".text", ".md", ".markdown", ".rst", ".tex", ".log", ".eml", ".srt", ".vtt"],
        *[".csv", ".tsv", ".json", ".jsonl", ".yaml", ".yml", ".toml", ".xml", ".html", ".htm"],
        *[
            ".py",
            ".js",
            ".ts",
            ".java",
            ".c",
            ".h",
            ".cpp",
            ".go",
            ".rs",
            ".rb",
            ".sh",
            ".sql",
            ".css",
        ],
    ]
)
_NO_FILES: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
# A PDF may begin with something else, and is one nevertheless if its mark is among these.
_HEAD_BYTES: Final = 1024
# Of a text, so many bytes are looked at before it is sent.
_CHECKED_BYTES: Final = 1024 * 1024


def media_type_of(path: Path) -> str:
    """Return what a file holds, by its first bytes, and of texts by its suffix.

    Raises:
        InputError: if it cannot be read, is no regular file, is empty, is not what its suffix says,
            or is of no type that models read. The message begins with the file.
    """
    check_is_regular(path)
    with _told(path), path.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not head:
        raise InputError(f"file {str(path)!r} is empty.")
    suffix, seen = path.suffix.lower(), _seen(head)
    named = TEXT if suffix in _TEXTS else _MEDIA_TYPES.get(suffix)
    if named == PDF and b"%PDF-" in head:
        return PDF
    if seen is None and named == TEXT:
        return TEXT
    if seen is None and named is not None:
        raise InputError(f"file {str(path)!r} is named like {named}, and holds something else.")
    if seen is None:
        known = " ".join([*_MEDIA_TYPES, *sorted(_TEXTS)])
        raise InputError(f"file {str(path)!r} is of no type that models read. These are: {known}")
    return seen


def check_is_regular(path: Path) -> None:
    """Make sure that a path leads to a regular file, without opening what it leads to.

    A pipe would be waited for without an end, and could be read once; a device may have no end.

    Raises:
        InputError: if it does not.
    """
    with _told(path):
        mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        what = next((name for is_one, name in _NO_FILES if is_one(mode)), "something else")
        raise InputError(f"file {str(path)!r} is {what}. Give a regular file.")


def check_file(path: Path) -> None:
    """Make sure that a file holds what models read, by its beginning.

    Raises:
        InputError: as `media_type_of`, and if the first MiB of a text is not UTF-8.
    """
    if media_type_of(path) != TEXT:
        return
    with _told(path), path.open("rb") as stream:
        beginning = stream.read(_CHECKED_BYTES)
    is_whole = len(beginning) < _CHECKED_BYTES
    try:
        # A character that the end of the MiB cuts is no fault.
        codecs.getincrementaldecoder("utf-8")().decode(beginning, final=is_whole)
    except UnicodeDecodeError as error:
        raise _no_utf8(path, error) from None


def file_part(path: Path, *, as_document: bool) -> Part:
    """Return the content of a file.

    Args:
        path: a text in UTF-8, a PDF, or an image (PNG, JPEG, GIF, WebP).
        as_document: whether a text stands as a document, which answers can cite, and not as text,
            which every model reads.

    Raises:
        InputError: as `media_type_of`, and for a text that is not UTF-8.
    """
    media_type = media_type_of(path)
    with _told(path):
        data = path.read_bytes()
    if media_type.startswith("image/"):
        return ImagePart(data=data, media_type=media_type)
    if media_type == PDF:
        return FilePart(data=data, media_type=PDF, name=path.name)
    text = _decoded(path, data)
    if as_document:
        return FilePart(data=text.encode(), media_type=TEXT, name=path.name)
    return TextPart(text)


def _seen(head: bytes) -> str | None:
    if head.startswith(b"%PDF-"):
        return PDF
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if head.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return None


def _decoded(path: Path, data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_utf8(path, error) from None
    if not text.strip():
        raise InputError(f"file {str(path)!r} holds nothing but white space.")
    return text


def _no_utf8(path: Path, error: UnicodeDecodeError) -> InputError:
    return InputError(
        f"file {str(path)!r} is no text in UTF-8 (byte {error.start}). Save it as UTF-8."
    )


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Raise InputError for what the system says of a file."""
    try:
        yield
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"file {str(path)!r} cannot be read: {reason}.") from error
