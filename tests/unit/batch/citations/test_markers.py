from __future__ import annotations

import pytest

from batch_llm.batch.citations.markers import find_markers


def marked(text: str) -> list[str]:
    return [text[one.start : one.end] for one in find_markers(text, {"thirty"})]


@pytest.mark.parametrize(
    ("text", "markers"),
    [
        ("Revenue[1] grew", ["[1]"]),
        ("Revenue [1, 2] grew", ["[1, 2]"]),
        ("Revenue (3) grew", ["(3)"]),
        ("(3) Refunds", ["(3)"]),
        ("1) Total\n 2. Deposit", ["1", "2"]),
        ("Figure 4: total, p. 7", ["4"]),
        ("see Tables 3", ["3"]),
        ("thirty (30) days", []),
        ("Scores: [7], n=(5)", []),
        ("+49 (30) 1234567", []),
        ("Loss (15.00), (150)", []),
        ("12 boxes", []),
        ("2.5 kg", []),
        ("stage 4", []),
        ("Article 10,500", []),
    ],
)
def test_markers_are_no_values(text: str, markers: list[str]) -> None:
    assert marked(text) == markers


def test_a_marker_is_a_value_of_the_field_for_what_it_counts() -> None:
    page, item, note = find_markers("Page 3\n2) Total [1]", ())
    item, note = (item, note) if item.start < note.start else (note, item)
    assert page.is_value_of(["page", "number"])
    assert not page.is_value_of(["page", "count"])
    assert not page.is_value_of(["pages"])
    assert item.is_value_of(["rank"])
    assert not item.is_value_of(["total"])
    assert not note.is_value_of(["note"])
