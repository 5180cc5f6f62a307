"""A ledger as lines of JSON."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from ..files import Place, open_private
from .digest_index import DigestIndex
from .entry import RunBegun
from .files import LEDGER
from .jsonl_file import lines, upgrade
from .jsonl_line import (
    CallLine,
    ResultLine,
    RunLine,
    SettledLine,
    decode_line,
    encode_line,
    line_of,
)
from .store import Standing, Store

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from ..core import LedgerConfig
    from .entry import Entry
    from .jsonl_line import Line
    from .record import KeptResult


class JsonlStore(Store):
    """One line an entry; one write a group.

    Where the successes of earlier runs stand is known in some 27 bytes each.

    Args:
        path: the file; created if need be.
        config: the durability, and whether answers are found by request.

    Raises:
        ConfigurationError: if the file is no ledger, or a newer one.
        LedgerError: if it cannot be read or written.
    """

    def __init__(self, path: Path, config: LedgerConfig) -> None:
        self.path = path
        self.has_results = False
        self._stores_prompts = config.store_prompts
        self._syncs = config.durability == "power"
        self._finished = DigestIndex()
        self._answers = DigestIndex() if config.response_cache else None
        self._indexed_upto = 0
        try:
            upgrade(path)
            self._size = path.stat().st_size
            self.standing = self._read_all()
            self._reading = path.open("rb")
            self._file = open_private(path, os.O_WRONLY | os.O_APPEND)
            self._place = Place(path)
        except OSError as error:
            raise LEDGER.broken(path, "Opening", error) from error

    # -- writing

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the entries as lines, with one call where the system takes them at once."""
        written = [line_of(entry, stores_prompts=self._stores_prompts) for entry in entries]
        encoded = [encode_line(line) + b"\n" for line in written if line is not None]
        self._put(b"".join(encoded))
        if self._syncs:
            os.fsync(self._file)
        self._place.check()
        self._took(written, encoded)
        if any(isinstance(entry, RunBegun) for entry in entries):
            self._index_rest()

    def _put(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            left = left[os.write(self._file, left) :]

    def _took(self, written: Sequence[Line | None], encoded: Sequence[bytes]) -> None:
        """Know where the lines stand; those of this run are found by request alone."""
        place = self._size
        self._size += sum(map(len, encoded))
        if self._answers is None:
            return
        for line, content in zip((one for one in written if one is not None), encoded, strict=True):
            if isinstance(line, ResultLine) and line.succeeded:
                self._answers.put(line.request, place)
            place += len(content)

    # -- reading

    def find(self, digest: bytes) -> KeptResult | None:
        """Return the success of that item in a run before the present one."""
        line = self._line_at(self._finished.find(digest))
        return line.kept_result() if line is not None and line.digest == digest else None

    def find_answer(self, request: bytes) -> KeptResult | None:
        """Return a success for that request."""
        assert self._answers is not None, "asked of a response cache only"
        line = self._line_at(self._answers.find(request))
        return line.kept_result() if line is not None and line.request == request else None

    def _line_at(self, place: int | None) -> ResultLine | None:
        if place is None:
            return None
        try:
            self._reading.seek(place)
            line = decode_line(self._reading.readline())
        except (OSError, msgspec.DecodeError) as error:
            raise LEDGER.broken(self.path, "Reading", error) from error
        assert isinstance(line, ResultLine), "the index leads to results"
        return line

    def close(self) -> None:
        """Close the file."""
        self._reading.close()
        os.close(self._file)

    # -- what earlier runs have left

    def _read_all(self) -> Standing:
        standing, reserved = Standing(), dict[int, float]()
        for place, line in lines(self.path):
            match line:
                case ResultLine():
                    standing.spent_usd += line.spent_usd
                    for number in line.settled:
                        reserved.pop(number, None)
                    self._index(line, place)
                    if self._answers is not None and line.succeeded:
                        self._answers.put(line.request, place)
                case CallLine():
                    reserved[line.number] = line.bound_usd
                case SettledLine():
                    standing.spent_usd += line.usd
                    reserved.pop(line.number, None)
                case RunLine():
                    standing.last_run = line.number
        standing.last_call = max(reserved, default=0)
        standing.held_usd = sum(reserved.values())
        self._indexed_upto = self._size
        return standing

    def _index_rest(self) -> None:
        """Let `find` know what this process has kept in the run before."""
        for place, line in lines(self.path, self._indexed_upto):
            if isinstance(line, ResultLine):
                self._index(line, place)
        self._indexed_upto = self._size
        self.has_results = len(self._finished) > 0

    def _index(self, line: ResultLine, place: int) -> None:
        if line.succeeded:
            self._finished.put(line.digest, place)
