"""Files of JSON lines that are appended to, and may end anywhere."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from .kind import FileKind

    Step = Callable[[dict[str, Any]], dict[str, Any]]


def raw_lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """Yield each line with the byte at which it begins; a torn last one is left out.

    Args:
        path: the file.
        start: where the first line begins that is wanted.
    """
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield start, line
            start += len(line)


def cut_torn_line(path: Path) -> None:
    """Take off what a process that was killed in the middle of a line has left of it."""
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - (1 << 16))
            file.seek(start)
            newline = file.read(end - start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end < size:
            file.truncate(end)


def upgraded_lines(
    path: Path, kind: FileKind, versions: tuple[int, int], steps: Mapping[int, Step]
) -> Iterator[bytes]:
    """Yield the lines of an older file as the present version writes them.

    Args:
        path: the file.
        kind: what the file is, for the error.
        versions: the one it has, and the present one.
        steps: what makes a line of version N one of version N + 1; the version that the first
            line names is set besides.

    Raises:
        BatchLLMError: of that kind, naming a line that cannot be read.
    """
    version, present = versions
    for place, raw in raw_lines(path):
        try:
            line = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise kind.damaged(path, place, type(error).__name__) from None
        for step in range(version, present):
            line = steps[step](line)
        if place == 0:
            line["version"] = present
        yield msgspec.json.encode(line) + b"\n"
