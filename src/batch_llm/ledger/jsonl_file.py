"""Reading a ledger in JSONL line by line, and bringing it to the present version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..files import create_private, cut_torn_line, raw_lines, replace_file, upgraded_lines
from .files import LEDGER
from .jsonl_line import FORMAT, VERSION, Header, decode_line, encode_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..files.lines import Step
    from .jsonl_line import Line

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
        raise LEDGER.other(path)
    try:
        # Some rows of a user's would decode as a header too, with all of its fields by default.
        is_header = isinstance(stated := msgspec.json.decode(first), dict) and "format" in stated
        header = msgspec.json.decode(first, type=Header)
    except msgspec.DecodeError:
        raise LEDGER.other(path) from None
    if not is_header or header.format != FORMAT or header.version < 1:
        raise LEDGER.other(path)
    if header.version > VERSION:
        raise LEDGER.newer(path, header.version, VERSION)
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
        replace_file(path, [encode_line(Header()) + b"\n"])
    elif version < VERSION:
        replace_file(path, upgraded_lines(path, LEDGER, (version, VERSION), UPGRADES))
    else:
        cut_torn_line(path)


def lines(path: Path, start: int = 0) -> Iterator[tuple[int, Line]]:
    """Yield each line with the place where it begins; a torn last one is left out.

    Args:
        path: the file, of the present version.
        start: where the first line begins that is wanted.

    Raises:
        LedgerError: naming a line that cannot be read.
    """
    for place, line in raw_lines(path, start):
        try:
            yield place, decode_line(line)
        except msgspec.DecodeError as error:
            raise LEDGER.damaged(path, place, type(error).__name__) from None
