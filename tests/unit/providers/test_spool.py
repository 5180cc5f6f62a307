from __future__ import annotations

from codecs import BOM_UTF8
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.providers.spool import Spool, spooled
from batch_llm.testing import run_in_virtual_time

if TYPE_CHECKING:
    from collections.abc import Iterator


@given(st.lists(st.binary(max_size=9)), st.integers(0, 20), st.integers(0, 20))
def test_any_part_of_what_was_written_comes_back(
    written: list[bytes], start: int, size: int
) -> None:
    whole = b"".join(written)

    async def part(spool: Spool, start: int, size: int | None) -> bytes:
        return b"".join([piece async for piece in spool.pieces(start, size)])

    with Spool() as spool:
        for piece in written:
            spool.write(piece)
        assert spool.size == len(whole)
        assert run_in_virtual_time(lambda: part(spool, start, size)) == whole[start : start + size]
        assert run_in_virtual_time(lambda: part(spool, 0, None)) == whole == spool.whole()
        assert b"".join(spool.lines()) == whole.removeprefix(BOM_UTF8)


@pytest.mark.parametrize("rest", [b"", b"{}\n", b'{"a": 1}\n\xef\xbb\xbf{}\n'])
def test_a_byte_order_mark_is_no_part_of_the_first_line(rest: bytes) -> None:
    with Spool() as spool:
        spool.write(BOM_UTF8 + rest)
        assert list(spool.lines()) == rest.splitlines(keepends=True)
        assert spool.whole() == BOM_UTF8 + rest


async def test_what_cannot_be_made_leaves_no_file_behind() -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 9_000_000
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        await spooled(broken())  # an unclosed file would be a warning, and so an error


async def test_more_than_fits_into_memory() -> None:
    with await spooled(b"x" * 1_000_000 for _ in range(10)) as spool:
        assert spool.size == 10_000_000
        pieces = [len(piece) async for piece in spool.pieces()]
    assert sum(pieces) == 10_000_000
    assert max(pieces) <= 256 * 1024
