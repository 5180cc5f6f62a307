"""The results of a run as a file, which takes its place when it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ...batch.results.row_results import result_rows
from ...exceptions import ConfigurationError
from ...rows.formats import FORMATS
from ...rows.sink import OutputError, open_sink
from ...rows.tally import Tally

if TYPE_CHECKING:
    from ...batch.state.events import Asked
    from ...batch.state.journal import Journal
    from ...rows.sink import RowSink

_KEPT_DIGESTS = 2


def digest_of(path: Path) -> str:
    """Return what tells whether a file has changed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def check_is_ours(asked: Asked) -> None:
    """Refuse to replace a file that no run of this state has written.

    Raises:
        ConfigurationError: naming what can be done.
    """
    path = None if asked.output is None else Path(asked.output)
    if path is None or not path.is_file():
        return
    if digest_of(path) not in asked.written:
        raise ConfigurationError(
            f"The output {shown(asked)!r} is not as this run has left it; name another with "
            f"--output, or replace it with --force."
        )


def write_output(journal: Journal, asked: Asked) -> Tally:
    """Write every row that has ended, and return how they ended.

    A file is written beside, as PATH.partial, and put in its place: what stood there before stays
    until there is something whole.

    Raises:
        OutputError: if it cannot be written.
        ConfigurationError: if it cannot be opened.
        StateError: if the state cannot be read.
    """
    path = None if asked.output is None else Path(asked.output)
    if path is None or (path.exists() and not path.is_file()):
        return _write(journal, asked, path)
    beside = path.with_name(f"{path.name}.partial")
    tally = _write(journal, asked, beside)
    # Before it is there, so that whatever is found there is known again.
    digest = digest_of(beside)
    if digest not in asked.written:
        written = [*asked.written, digest][-_KEPT_DIGESTS:]
        journal.write(msgspec.structs.replace(asked, written=written))
    _put_in_place(beside, path)
    return tally


def _write(journal: Journal, asked: Asked, path: Path | None) -> Tally:
    tally = Tally(asked.rows)
    row_format = FORMATS[asked.output_format]
    with open_sink(path, row_format, asked.kept, overwrite=True) as sink:
        _write_rows(journal, asked, sink, tally)
    return tally


def _write_rows(journal: Journal, asked: Asked, sink: RowSink, tally: Tally) -> None:
    for row in result_rows(journal.path, journal.state, in_input_order=asked.in_input_order):
        tally.add_cost(row)
        sink.write(row)
        tally.add(row)


def _put_in_place(beside: Path, path: Path) -> None:
    try:
        if path.exists():
            beside.chmod(path.stat().st_mode & 0o7777)
        beside.replace(path)
    except OSError as error:
        raise OutputError(
            f"The results are in {beside}, which could not be renamed to {path}: {error.strerror}."
        ) from error


def shown(asked: Asked) -> str:
    """Return what to call the output: from the current directory, where it is below that."""
    if asked.output is None:
        return "standard output"
    path = Path(asked.output)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else asked.output
