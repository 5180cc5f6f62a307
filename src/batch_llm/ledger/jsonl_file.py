"""Reading a ledger in JSONL line by line, and bringing it to the present version."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import msgspec

from ..exceptions import LedgerError
from .files import create_private, open_private, sync_directory
from .jsonl_line import FORMAT, VERSION, Header, decode_line, encode_line
from .sqlite_schema import newer, no_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .jsonl_line import Line

    Step = Callable[[dict[str, Any]], dict[str, Any]]

UPGRADES: dict[int, Step] = {}
"""What makes a line of version N one of version N + 1; the header's version is set besides.

Each ends up in a release: a step is never changed, only followed by another.
"""


def check_version(path: Path) -> int:
    """Return the version of the ledger; 0 for a file in which nothing stands yet.

    Raises:
        ConfigurationError: if it is no ledger, or a newer one.
    """
    with path.open("rb") as file:
        first = file.readline(4096)
    if not first.endswith(b"\n"):
        # A process that is killed while it writes the first line leaves its beginning.
        if encode_line(Header()).startswith(first):
            return 0
        raise no_ledger(path)
    try:
        # Some rows of a user's would decode as a header too, with all of its fields by default.
        is_header = isinstance(stated := msgspec.json.decode(first), dict) and "format" in stated
        header = msgspec.json.decode(first, type=Header)
    except msgspec.DecodeError:
        raise no_ledger(path) from None
    if not is_header or header.format != FORMAT or header.version < 1:
        raise no_ledger(path)
    if header.version > VERSION:
        raise newer(path, header.version, VERSION)
    return header.version


def upgrade(path: Path) -> None:
    """Bring the file to the present version, wholly or not at all, without a torn last line.

    Raises:
        ConfigurationError: if it is no ledger, or a newer one.
        LedgerError: if a line cannot be read.
        OSError: if the file cannot be read or written.
    """
    create_private(path)
    version = check_version(path)
    if version == 0:
        _replace(path, [encode_line(Header()) + b"\n"])
    elif version < VERSION:
        _replace(path, _upgraded(path, version))
    else:
        _cut_torn_line(path)


def lines(path: Path, start: int = 0) -> Iterator[tuple[int, Line]]:
    """Yield each line with the place where it begins; a torn last one is left out.

    Args:
        path: the file, of the present version.
        start: where the first line begins that is wanted.

    Raises:
        LedgerError: naming a line that cannot be read.
    """
    for place, line in _raw_lines(path, start):
        try:
            yield place, decode_line(line)
        except msgspec.DecodeError as error:
            raise _damaged(path, place, error) from None


def _raw_lines(path: Path, start: int) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield start, line
            start += len(line)


def _damaged(path: Path, place: int, error: Exception) -> LedgerError:
    with path.open("rb") as file:
        number = 1 + sum(block.count(b"\n") for block in _blocks(file.read, place))
    return LedgerError(
        f"Line {number} of the ledger {str(path)!r} is damaged, and others follow it. Nothing "
        f"was changed: restore the file, or remove that line to give up what it held.",
        path,
        f"line {number}: {type(error).__name__}",
    )


def _blocks(read: Callable[[int], bytes], total: int) -> Iterator[bytes]:
    while total > 0 and (block := read(min(total, 1 << 20))):
        total -= len(block)
        yield block


def _cut_torn_line(path: Path) -> None:
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


def _upgraded(path: Path, version: int) -> Iterator[bytes]:
    for place, raw in _raw_lines(path, 0):
        try:
            line = msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise _damaged(path, place, error) from None
        for step in range(version, VERSION):
            line = UPGRADES[step](line)
        if place == 0:
            line["version"] = VERSION
        yield encode_line(line) + b"\n"


def _replace(path: Path, content: Iterator[bytes] | list[bytes]) -> None:
    """Let the file have other content, at once: a process that is killed leaves the old one."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    number = open_private(beside, os.O_WRONLY)
    try:
        with os.fdopen(number, "wb") as file:
            file.writelines(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path)
