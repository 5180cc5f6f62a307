"""The seam between rows and the bytes of a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO, Protocol

from .result_row import RESULT_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .result_row import ResultRow
    from .row import BrokenRow, Row


class ByteSink(Protocol):
    """Takes bytes, all that it is given in one write."""

    @property
    def closed(self) -> bool:
        """Whether it takes no more."""
        ...

    def write(self, content: bytes, /) -> int:
        """Take `content` in whole, and return how many bytes that was."""
        ...


class RowWriter(ABC):
    """Writes results in one format to one stream."""

    @abstractmethod
    def write(self, row: ResultRow) -> None:
        """Take one result.

        A format of lines has given it to the stream when this returns. One of columns may hold it
        back, for as long as a group of rows takes to fill.
        """

    @abstractmethod
    def close(self) -> None:
        """Write what is held back, and what a file of this format ends with.

        Nothing is written behind a write that failed, nor by a second call. The stream stays open.
        """


class RowFormat(ABC):
    """How rows stand in a file.

    Attributes:
        name: what to call the format in messages.
        suffixes: how the names of its files end.
    """

    name: str
    suffixes: tuple[str, ...]

    def check_installed(self) -> None:  # noqa: B027 - most formats need nothing
        """Make sure that what the format needs is installed.

        Raises:
            MissingExtraError: if it is not.
        """

    @abstractmethod
    def read(self, stream: BinaryIO) -> Iterator[Row | BrokenRow]:
        """Yield the rows of `stream`, broken ones in their place; leave the stream open.

        Raises:
            InputError: if the stream as a whole is not of this format.
        """

    @abstractmethod
    def writer(
        self, stream: ByteSink, kept: Sequence[str], columns: Sequence[str] = RESULT_COLUMNS
    ) -> RowWriter:
        """Return what writes results to `stream`; what a file begins with is written at once.

        Args:
            stream: where to write.
            kept: the fields of the input that each result repeats.
            columns: what a table has besides them.
        """
