"""How many pages a PDF has.

A small reader, for an estimate: it follows the file's own page tree, and says None rather than
guess where that cannot be read (an encrypted file, a filter that it does not know, a broken one).
"""

from __future__ import annotations

import re
import zlib
from typing import Final

_OBJECT: Final = re.compile(rb"(?<!\d)(\d{1,10})[ \t\r\n]+\d{1,5}[ \t\r\n]+obj\b")
_STREAM: Final = re.compile(rb"stream\r?\n")
_REFERENCE: Final = rb"[ \t\r\n]*(\d{1,10})[ \t\r\n]+\d{1,5}[ \t\r\n]+R"
_ROOT: Final = re.compile(rb"/Root" + _REFERENCE)
_PAGES: Final = re.compile(rb"/Pages" + _REFERENCE)
_COUNT: Final = re.compile(rb"/Count[ \t\r\n]+(\d{1,7})(?![ \t\r\n]+\d{1,5}[ \t\r\n]+R)")
_NUMBER_OF_OBJECTS: Final = re.compile(rb"/N[ \t\r\n]+(\d{1,7})")
_FIRST: Final = re.compile(rb"/First[ \t\r\n]+(\d{1,9})")
# A stream of objects that unpacks to more is none that an honest writer makes.
_MOST_UNPACKED_BYTES: Final = 64 * 1024**2


def count_pages(data: bytes) -> int | None:
    """Return how many pages a PDF has; None where that cannot be read.

    Args:
        data: the whole file.
    """
    if b"/Encrypt" in data:
        return None
    objects = _objects(data)
    # Of a file that was changed by appending, what stands last counts.
    for root in reversed(_ROOT.findall(data)):
        tree = _PAGES.search(objects.get(int(root), b""))
        pages = objects.get(int(tree[1]), b"") if tree else b""
        count = _COUNT.search(pages)
        if count:
            return int(count[1])
    return None


def _objects(data: bytes) -> dict[int, bytes]:
    """Return the objects of a file by their numbers, without the content of streams."""
    found: dict[int, bytes] = {}
    for match in _OBJECT.finditer(data):
        end = data.find(b"endobj", match.end())
        body = data[match.end() : end if end >= 0 else len(data)]
        stream = _STREAM.search(body)
        head = body[: stream.start()] if stream else body
        found[int(match[1])] = head
        if stream and b"/ObjStm" in head:
            found.update(_packed(head, body[stream.end() :]))
    return found


def _packed(head: bytes, stream: bytes) -> dict[int, bytes]:
    """Return the objects that a stream of them holds; none where it cannot be unpacked."""
    count, first = _NUMBER_OF_OBJECTS.search(head), _FIRST.search(head)
    content = _unpacked(head, stream)
    if content is None or count is None or first is None:
        return {}
    start = int(first[1])
    numbers = [int(word) for word in content[:start].split() if word.isdigit()]
    places = list(zip(numbers[::2], numbers[1::2], strict=False))[: int(count[1])]
    ends = [*(offset for _, offset in places[1:]), len(content) - start]
    return {
        number: content[start + offset : start + end]
        for (number, offset), end in zip(places, ends, strict=False)
    }


def _unpacked(head: bytes, stream: bytes) -> bytes | None:
    if b"/Filter" not in head:
        return stream
    if b"/FlateDecode" not in head or b"/DecodeParms" in head:
        return None
    try:
        return zlib.decompressobj().decompress(stream, _MOST_UNPACKED_BYTES)
    except zlib.error:
        return None
