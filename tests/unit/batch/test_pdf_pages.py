"""Pages of PDFs, by their own page trees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.pdfs import packed_pdf, plain_pdf

from batch_llm.batch.jobs.pdf_pages import count_pages


@pytest.mark.parametrize("made", [plain_pdf, packed_pdf])
@given(pages=st.integers(1, 40))
def test_pages_are_those_of_the_page_tree(made: object, pages: int) -> None:
    assert callable(made)
    assert count_pages(made(pages)) == pages


def test_what_was_appended_counts() -> None:
    assert count_pages(plain_pdf(3) + plain_pdf(5, start=20)) == 5
    assert count_pages(plain_pdf(3) + plain_pdf(2)) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.4\n%%EOF\n",
        plain_pdf(3).replace(b"trailer <<", b"trailer << /Encrypt 9 0 R"),
        plain_pdf(3).replace(b"/Count 3", b"/Count 9 0 R"),
        packed_pdf(3).replace(b"/FlateDecode", b"/LZWDecode  "),
        packed_pdf(3)[:120],
    ],
    ids=["nothing", "no objects", "encrypted", "count elsewhere", "unknown filter", "cut"],
)
def test_none_rather_than_a_guess(data: bytes) -> None:
    assert count_pages(data) is None


@given(st.binary(max_size=300), st.integers(0, 300))
def test_broken_files_raise_nothing(noise: bytes, place: int) -> None:
    whole = packed_pdf(3)
    count_pages(whole[:place] + noise + whole[place:])
