"""The file that holds the state of a batch run: finding, checking, upgrading and folding it."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from ...exceptions import StateError
from ...files import (
    FileKind,
    create_private,
    cut_torn_line,
    hold_file,
    let_go,
    open_private,
    raw_lines,
    replace_file,
    upgraded_lines,
)
from .events import FORMAT, VERSION, Event, Header, decode_event, decode_header, encode_line
from .run_state import ImpossibleEventError, RunState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...files.lines import Step

STATE: Final = FileKind("batch state", StateError)
_APPENDING: Final = os.O_WRONLY | os.O_APPEND
DEFAULT_NAME: Final = "batch_state.jsonl"
UPGRADES: dict[int, Step] = {}
"""What makes a line of version N one of version N + 1; the header's version is set besides.

Each ends up in a release: a step is never changed, only followed by another.
"""
# A process that is killed while it writes the first line leaves its beginning.
_BEGINNING: Final = encode_line(Header(nonce="", created_at="")).split(b'"nonce"')[0]


@dataclass(slots=True, eq=False)
class FoldedFile:
    """A state file as it was read.

    Attributes:
        header: the first line; None where nothing is written yet.
        state: what the events come to.
        size: bytes of whole lines.
    """

    header: Header | None
    state: RunState
    size: int


def state_path(path: str | Path) -> Path:
    """Return the one path of a state file; of a folder, that of a file in it.

    Args:
        path: the file, or a folder that is there (`"./"`): then `batch_state.jsonl` in it.

    Raises:
        ConfigurationError: if there can be no file: the folder is missing, or it is none.
    """
    place = Path(path).expanduser()
    if place.is_dir() or str(path).endswith(("/", os.sep)):
        place /= DEFAULT_NAME
    return STATE.resolved(place)


def new_header(*, nonce: str | None = None, created_at: str | None = None) -> Header:
    """Return the first line of a new state; its nonce is 16 hexadecimal digits.

    Args:
        nonce: another nonce.
        created_at: another time than the present, in ISO 8601.
    """
    return Header(
        nonce=nonce or secrets.token_hex(8),
        created_at=created_at or datetime.now(UTC).isoformat(timespec="seconds"),
    )


def prepare(path: Path, header: Header) -> None:
    """Bring the file to the present version, wholly or not at all, without a torn last line.

    Args:
        path: the file; created if need be.
        header: the first line, where there is none.

    Raises:
        ConfigurationError: if it is no state, or a newer one.
        StateError: if a line cannot be read.
        OSError: if the file cannot be read or written.
    """
    create_private(path)
    found = read_header(path)
    if found is None:
        replace_file(path, [encode_line(header) + b"\n"])
    elif found.version < VERSION:
        replace_file(path, upgraded_lines(path, STATE, (found.version, VERSION), UPGRADES))
    else:
        cut_torn_line(path)


def open_held(path: Path, header: Header) -> int:
    """Return a descriptor to append by, of a file that is prepared, and that nobody else writes.

    It is held before anything in it is changed: a run that has it by another name may be in the
    middle of a line. Close it with `close_held`.

    Args:
        path: the file; created if need be.
        header: the first line, where there is none.

    Raises:
        ConfigurationError: if it is no state, or a newer one.
        StateError: if another holds it, or a line cannot be read.
        OSError: if the file cannot be read or written.
    """
    file = open_private(path, _APPENDING)
    try:
        hold_file(file, path, STATE)
        prepare(path, header)
        if os.path.samestat(os.fstat(file), path.stat()):
            return file
        newer = open_private(path, _APPENDING)  # it was replaced as a whole
    except BaseException:
        close_held(file)
        raise
    close_held(file)
    try:
        hold_file(newer, path, STATE)
    except BaseException:
        os.close(newer)
        raise
    return newer


def close_held(file: int) -> None:
    """Close what `open_held` has opened, and let another have it."""
    let_go(file)
    os.close(file)


def read_header(path: Path) -> Header | None:
    """Return the first line; None for a file in which nothing stands yet.

    Raises:
        ConfigurationError: if it is no state, or a newer one.
        OSError: if the file cannot be read.
    """
    with path.open("rb") as file:
        first = file.readline(4096)
    if not first.endswith(b"\n"):
        if first.startswith(_BEGINNING) or _BEGINNING.startswith(first):
            return None
        raise STATE.other(path)
    try:
        header = decode_header(first)
    except msgspec.DecodeError:
        raise STATE.other(path) from None
    if header.format != FORMAT or header.version < 1:
        raise STATE.other(path)
    if header.version > VERSION:
        raise STATE.newer(path, header.version, VERSION)
    return header


def fold(path: Path) -> FoldedFile:
    """Return what the file's events come to; a torn last line is left out, and left there.

    Args:
        path: a file of the present version.

    Raises:
        ConfigurationError: if it is no state, or a newer one.
        StateError: naming a line that cannot be read, or that cannot follow those before it.
        OSError: if the file cannot be read.
    """
    header, state, size = read_header(path), RunState(), 0
    assert header is None or header.version == VERSION, "upgrade it first"
    apply, decode = state.apply, decode_event
    for place, line in raw_lines(path):
        size = place + len(line)
        if place == 0:
            continue
        try:
            apply(decode(line), place)
        except msgspec.DecodeError as error:
            raise STATE.damaged(path, place, type(error).__name__) from None
        except ImpossibleEventError as error:
            raise STATE.damaged(path, place, str(error)) from None
    return FoldedFile(header, state, size)


def events_at(path: Path, places: Iterable[int]) -> Iterator[Event]:
    """Yield the events whose lines begin at these bytes, in this order."""
    with path.open("rb") as file:
        for place in places:
            file.seek(place)
            yield decode_event(file.readline())


def events(path: Path) -> Iterator[tuple[int, Event]]:
    """Yield each event of a file of the present version, with the byte where its line begins."""
    for place, line in raw_lines(path):
        if place > 0:
            yield place, decode_event(line)
