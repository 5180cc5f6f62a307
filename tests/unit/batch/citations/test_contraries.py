from __future__ import annotations

import pytest

from batch_llm.batch.citations.contraries import says_contrary


def is_contrary(name: str, left: str = "", right: str = "", parents: str = "") -> bool:
    return says_contrary(tuple(name.split()), tuple(parents.split()), left.split(), right.split())


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("max temp", "min temp", ""),
        ("total before tax", "total after tax", ""),
        ("opening balance", "closing balance", ""),
        ("buyer", "seller", ""),
        ("buyer", "buyer acme ltd seller", ""),
        ("net", "", "gross"),
        ("from city", "travels from oslo to", ""),
        ("annual rent", "monthly rent", ""),
        ("second instalment", "third instalment", ""),
    ],
)
def test_a_label_of_the_opposite_is_contrary(name: str, left: str, right: str) -> None:
    assert is_contrary(name, left, right)


@pytest.mark.parametrize(
    ("name", "left", "right"),
    [
        ("temp", "min temp", ""),
        ("min temp", "min temp", "max temp"),
        ("max temp", "", "max"),
        ("net", "gross", "net"),
        ("min max range", "max", ""),
        ("departure date", "departure to rome on", ""),
        ("max duration", "duration up to", "min"),
        ("first response seconds", "the first response took", "seconds"),
        ("duration seconds", "the first took", "seconds"),
        ("customer", "our customer whose supplier is known customer", ""),
    ],
)
def test_other_labels_are_not(name: str, left: str, right: str) -> None:
    assert not is_contrary(name, left, right)


def test_an_apposition_decides() -> None:
    left, buyer = ["seller", "acme", "ltd", "and"], ["buyer", "of", "the", "seller"]
    assert not says_contrary(("buyer",), (), left, (), buyer)
    assert says_contrary(("seller",), (), left, (), buyer)
    assert is_contrary("current margin", right="previous")
    assert not is_contrary("current margin", right="from the previous")


def test_the_names_above_count_where_the_own_tells_nothing() -> None:
    assert is_contrary("id", "supplier id", parents="customer")
    assert not is_contrary("supplier id", "supplier id", parents="customer")


def test_what_leads_on_to_the_next_value_is_of_that() -> None:
    name, left, right = ("gross",), ("net",), ("gross",)
    assert says_contrary(name, (), left, right, leads_on=True)
    assert not says_contrary(name, (), left, right)
    assert not says_contrary(name, (), (), right, leads_on=True)


def test_a_unit_stands_between_a_value_and_its_word() -> None:
    assert is_contrary("battery minutes low", right="minutes on max")
    assert not is_contrary("battery minutes low", right="people on the max")


@pytest.mark.parametrize(
    ("low", "high"),
    [("of no less than", "no more than"), ("nicht weniger als", "shall not exceed")],
)
def test_a_denied_bound_is_the_other_end(low: str, high: str) -> None:
    assert is_contrary("max fee", low)
    assert is_contrary("min fee", high)
    assert not is_contrary("min fee", low)
    assert not is_contrary("max fee", high)
    assert not is_contrary("max fee", low.replace("no less", "less").replace("nicht ", ""))
