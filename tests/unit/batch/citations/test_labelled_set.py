"""Precision and recall on answers labelled by hand, in two halves, and on look-alikes, in two more.

The mapper was written and adjusted against "tuning" alone; "held_out" was written at the same time
and nothing was changed to please it. So it is with the look-alikes: digits that only count places
of a text, and labels of a field's opposite, each with the true ones beside them.
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


@pytest.mark.parametrize(("half", "fewest"), [("look_alikes", 35), ("look_alikes_held_out", 20)])
def test_look_alikes_stand_beside_as_many_true_ones(half: str, fewest: int) -> None:
    labels = [label for case in cases(half) for label in case["expected"].values()]
    assert labels.count(None) >= fewest
    assert len(labels) - labels.count(None) >= fewest


@pytest.mark.parametrize("half", ["tuning", "held_out", "look_alikes", "look_alikes_held_out"])
def test_citations_are_mapped_onto_the_fields_that_they_state(half: str) -> None:
    figures = measure(half)
    print(f"{half}: {figures}")
    assert figures.precision >= 0.95, figures.wrong
    assert figures.recall >= 0.8, figures.missed


@pytest.mark.parametrize(
    ("half", "row"),
    [
        ("tuning", "adjusted to"),
        ("held_out", "held out"),
        ("look_alikes", "look-alikes, adjusted to"),
        ("look_alikes_held_out", "look-alikes, held out"),
    ],
)
def test_the_documentation_says_what_is_measured(half: str, row: str) -> None:
    page = (ROOT / "docs" / "citations.md").read_text(encoding="utf-8")
    precision, recall = str(measure(half)).removeprefix("precision ").split(", recall ")
    assert f"| {row} | {precision} | {recall} |" in page
