from __future__ import annotations

import re

import pytest

from batch_llm.batch.citations.sentences import SENTENCE_END, breaks

ENDS = re.compile(rf"\n|{SENTENCE_END}")


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("It rains. The sun is away.", ["It rains.", "The sun is away."]),
        ("Total excl. VAT 100", ["Total excl. VAT 100"]),
        ("Betrag Zzgl. MwSt. Der Rest", ["Betrag Zzgl. MwSt.", "Der Rest"]),
        ("Dr. Mary Jones. Min. Temp 5", ["Dr. Mary Jones.", "Min. Temp 5"]),
        ("The seller is Al. Min Lee buys", ["The seller is Al.", "Min Lee buys"]),
        ("A submin. Temp", ["A submin.", "Temp"]),
        ("Price incl.\nVAT", ["Price incl.", "VAT"]),
    ],
)
def test_an_abbreviation_ends_no_sentence(text: str, pieces: list[str]) -> None:
    starts = [0, *(match.end() for match in breaks(ENDS, text))]
    ends = [*(match.start() for match in breaks(ENDS, text)), len(text)]
    assert [text[start:end] for start, end in zip(starts, ends, strict=True)] == pieces
