"""Precision and recall on answers labelled by hand, in two halves.

The mapper was written and adjusted against "tuning" alone; "held_out" was written at the same time
and nothing was changed to please it.
"""

from __future__ import annotations

import pytest

from ....labelled_citations import cases, measure
from ....markdown_pages import ROOT


def test_the_set_is_large_and_half_of_its_fields_tempt() -> None:
    labels = [label for half in ("tuning", "held_out") for case in cases(half)
              for label in case["expected"].values()]  # fmt: skip
    assert len(cases("tuning")) >= 60
    assert len(cases("held_out")) >= 40
    assert labels.count(None) >= 100


@pytest.mark.parametrize("half", ["tuning", "held_out"])
def test_citations_are_mapped_onto_the_fields_that_they_state(half: str) -> None:
    figures = measure(half)
    print(f"{half}: {figures}")
    assert figures.precision >= 0.95, figures.wrong
    assert figures.recall >= 0.8, figures.missed


@pytest.mark.parametrize(("half", "row"), [("tuning", "adjusted to"), ("held_out", "held out")])
def test_the_documentation_says_what_is_measured(half: str, row: str) -> None:
    page = (ROOT / "docs" / "citations.md").read_text(encoding="utf-8")
    precision, recall = str(measure(half)).removeprefix("precision ").split(", recall ")
    assert f"| {row} | {precision} | {recall} |" in page
