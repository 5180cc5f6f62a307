"""A file of results that takes its place when it is whole."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager
from itertools import count
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError
from .output_lock import OutputLock
from .sink import OutputError, RowSink, open_sink
from .source import RowSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from .earlier_results import EarlierResults
    from .format import RowFormat
    from .result_row import ResultRow

logger = logging.getLogger(__name__)


class ReplacingSink(AbstractContextManager["ReplacingSink"]):
    """Writes results beside a file, as PATH.partial, and puts that in its place at the end.

    For runs with a ledger, which holds all results whatever becomes of the file: what stood there
    before stays until there is something whole to replace it with. Nothing is touched before
    `begin`, which whoever holds the ledger calls. From there on no other run can write the file,
    of another ledger or of none. What an earlier run has left beside is written over if the ledger
    holds its results; it may hold more, where a disk was full, and is then kept under another name.

    Leaving it as a context manager without `close` leaves what was written where it is.

    Args:
        path: the file.
        row_format: how rows stand in it.
        kept: the fields of the input that each result repeats.
        earlier: what the ledger holds.
    """

    def __init__(
        self,
        path: Path,
        row_format: RowFormat,
        kept: Sequence[str] = (),
        *,
        earlier: EarlierResults,
    ) -> None:
        row_format.check_installed()
        self._target = path.resolve()
        self._beside = self._target.with_name(f"{self._target.name}.partial")
        self._shown, self._shown_beside = str(path), f"{path}.partial"
        self._format = row_format
        self._kept = tuple(kept)
        self._earlier = earlier
        self._lock: OutputLock | None = None
        self._sink: RowSink | None = None
        self._is_whole = True
        self._is_in_place = False

    @property
    def name(self) -> str:
        """Where the results are."""
        begun = self.is_begun and not self._is_in_place
        return self._shown_beside if begun else self._shown

    @property
    def is_begun(self) -> bool:
        """Whether something has been written."""
        return self._sink is not None

    def begin(self) -> None:
        """Open the file beside, if that is not done.

        Raises:
            ConfigurationError: if it cannot be opened, or another run writes it.
        """
        if self._sink is None:
            if self._lock is None:
                self._lock = OutputLock(self._target, self._shown)
            if self._beside.is_file():
                self._keep_unknown()
            self._sink = open_sink(self._beside, self._format, self._kept, overwrite=True)

    def _keep_unknown(self) -> None:
        """Give what is beside another name if results in it would otherwise be lost."""
        try:
            with self._beside.open("rb") as stream:
                rows = RowSource(stream, self._format, self._shown_beside)
                unknown = self._earlier.count_unknown(rows)
            if unknown:
                self._rename_beside(unknown)
        except OSError as error:
            raise ConfigurationError(
                f"{self._shown_beside!r}, which an earlier run has left, cannot be kept: "
                f"{error.strerror}."
            ) from error

    def _rename_beside(self, unknown: int) -> None:
        number = self._first_free_number()
        self._beside.rename(self._beside.with_name(f"{self._beside.name}.{number}"))
        logger.warning(
            "%s holds %d %s that the ledger does not; kept as %s.%d.",
            self._shown_beside,
            unknown,
            "result" if unknown == 1 else "results",
            self._shown_beside,
            number,
        )

    def _first_free_number(self) -> int:
        names = {file.name for file in self._beside.parent.iterdir()}
        return next(n for n in count(1) if f"{self._beside.name}.{n}" not in names)

    def write(self, row: ResultRow) -> None:
        """Write one result.

        Raises:
            OutputError: if it could not be written in whole, or one before it could not.
        """
        assert self._sink is not None, "begun before the first result"
        try:
            self._sink.write(row)
        except BaseException:  # also an interrupt in the middle of a row
            self._is_whole = False
            raise

    def close(self) -> None:
        """Put the file in its place; harmless where that is done, or nothing was begun.

        Raises:
            OutputError: if it cannot be. What was written is then beside it.
        """
        try:
            self._take_place()
        finally:
            self._unlock()

    def _take_place(self) -> None:
        if self._sink is None or self._is_in_place:
            return
        self._sink.close()
        if not self._is_whole:
            return
        try:
            if self._target.exists():
                self._beside.chmod(self._target.stat().st_mode & 0o7777)
            self._beside.replace(self._target)
        except OSError as error:
            raise OutputError(
                f"The results are in {self._shown_beside}, which could not be renamed to "
                f"{self._shown}: {error.strerror}."
            ) from error
        self._is_in_place = True

    def _unlock(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self._sink is not None:
                self._sink.close()
        finally:
            self._unlock()
