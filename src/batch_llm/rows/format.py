"""The seam between rows and the bytes of a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .result_row import ResultRow
    from .row import BrokenRow, Row


class RowFormat(ABC):
    """How rows stand in a file.

    Attributes:
        name: what to call the format in messages.
        suffixes: how the names of its files end.
    """

    name: str
    suffixes: tuple[str, ...]

    @abstractmethod
    def read(self, stream: BinaryIO) -> Iterator[Row | BrokenRow]:
        """Yield the rows of `stream`, broken ones in their place; leave the stream open.

        Raises:
            InputError: if the stream as a whole is not of this format.
        """

    @abstractmethod
    def header(self, kept: Sequence[str]) -> bytes:
        """Return what stands before the first row of results.

        Args:
            kept: the fields of the input that each result repeats.
        """

    @abstractmethod
    def encode(self, row: ResultRow, kept: Sequence[str]) -> bytes:
        """Return `row` as it is written; `kept` is what `header` was given."""
