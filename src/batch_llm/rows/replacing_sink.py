"""A file of results that takes its place when it is whole."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from .sink import OutputError, RowSink, open_sink

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from types import TracebackType

    from .format import RowFormat
    from .result_row import ResultRow


class ReplacingSink(AbstractContextManager["ReplacingSink"]):
    """Writes results beside a file, as PATH.partial, and puts that in its place at the end.

    For runs with a ledger, which holds all results whatever becomes of the file: what stood there
    before stays until there is something whole to replace it with. Nothing is touched before
    `begin`, which whoever holds the ledger calls: so two runs never write one file.

    Leaving it as a context manager without `close` leaves what was written where it is.

    Args:
        path: the file.
        row_format: how rows stand in it.
        kept: the fields of the input that each result repeats.
    """

    def __init__(self, path: Path, row_format: RowFormat, kept: Sequence[str] = ()) -> None:
        row_format.check_installed()
        self._target = path.resolve()
        self._beside = self._target.with_name(f"{self._target.name}.partial")
        self._shown, self._shown_beside = str(path), f"{path}.partial"
        self._format = row_format
        self._kept = tuple(kept)
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
            ConfigurationError: if it cannot be opened.
        """
        if self._sink is None:
            self._sink = open_sink(self._beside, self._format, self._kept, overwrite=True)

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

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._sink is not None:
            self._sink.close()
