"""Bytes that are too many for memory: what is sent, and what came."""

from __future__ import annotations

import asyncio
import tempfile
from codecs import BOM_UTF8
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from types import TracebackType
    from typing import Self

_IN_MEMORY_BYTES: Final = 8 * 1024**2
_PIECE_BYTES: Final = 256 * 1024


class Spool:
    """Bytes in memory while they are few, and else in a file that only this process can see.

    Closed as a context manager; the file is gone then, also after a crash.

    Attributes:
        size: bytes that were written.
    """

    __slots__ = ("_file", "size")

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES)  # noqa: SIM115 - closed in __exit__
        self.size = 0

    def write(self, piece: bytes) -> None:
        """Add bytes at the end."""
        self._file.write(piece)
        self.size += len(piece)

    async def pieces(self, start: int = 0, size: int | None = None) -> AsyncIterator[bytes]:
        """Yield `size` bytes from `start` on, or all that follow."""
        left = self.size - start if size is None else size
        place = start
        while left > 0:
            self._file.seek(place)
            piece = self._file.read(min(left, _PIECE_BYTES))
            if not piece:
                return
            place += len(piece)
            left -= len(piece)
            yield piece

    def lines(self) -> Iterator[bytes]:
        """Yield the lines, each with its end; a byte order mark before the first is left out."""
        self._file.seek(len(BOM_UTF8) if self._has_mark() else 0)
        yield from self._file

    def whole(self) -> bytes:
        """Return all bytes."""
        self._file.seek(0)
        return self._file.read()

    def _has_mark(self) -> bool:
        self._file.seek(0)
        return self._file.read(len(BOM_UTF8)) == BOM_UTF8

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._file.close()


async def spooled(pieces: Iterable[bytes]) -> Spool:
    """Return a spool of `pieces`, which are made in a thread: others get their turn meanwhile."""
    spool = Spool()

    def fill() -> None:
        for piece in pieces:
            spool.write(piece)

    try:
        await asyncio.to_thread(fill)
    # Broad: whatever comes, cancellation included, the file is not left behind.
    except BaseException:
        spool.__exit__(None, None, None)
        raise
    return spool
