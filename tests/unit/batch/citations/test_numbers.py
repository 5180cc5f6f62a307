from __future__ import annotations

from decimal import Decimal

import pytest

from batch_llm.batch.citations.numbers import (
    decimal_mark,
    find_numbers,
    read_with_mark,
    whole_number,
)


def likeliest(text: str) -> list[str]:
    found = find_numbers(text, [])
    return [format(max(one.readings, key=lambda reading: reading[1])[0], "f") for one in found]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("12 boxes", ["12"]),
        ("1,234.50", ["1234.50"]),
        ("1.234,50", ["1234.50"]),
        ("1'234.50", ["1234.50"]),
        ("12\u202f450,00 €", ["12450.00"]),
        ("12 450,00 €", ["12450.00"]),
        ("62,5 kg", ["62.5"]),
        ("$1.2k", ["1200.0"]),
        ("$3m", ["3000000"]),
        ("3 m", ["3"]),
        ("12,4 Mio. Euro", ["12400000.0"]),
        ("4,7 milliards d'euros", ["4700000000.0"]),
        ("-$2,310", ["-2310"]),
        ("\N{MINUS SIGN}25.4 °C", ["-25.4"]),
        ("(150.00)", ["-150.00"]),
        ("thirty (30) days", ["30", "30"]),
        ("10-20 mg", ["10", "20"]),
        ("5kg", ["5"]),
        ("EUR500", ["500"]),
        ("0.00", ["0.00"]),
        ("12,34,567", ["1234567"]),
        ("1,23,45,678.50", ["12345678.50"]),
        ("50-", ["-50"]),
        ("50-\n60", ["-50", "60"]),
        ("50- to 60-year", ["50", "60"]),
    ],
)
def test_a_number_is_read_as_it_is_written(text: str, numbers: list[str]) -> None:
    assert likeliest(text) == numbers


@pytest.mark.parametrize(
    "text",
    [
        "X-200",
        "3.14.2",
        "17:30",
        "145/90",
        "1st",
        "A12",
        "12AB",
        "007",
        "1.23.456",
        "1,234,56",
        "_5",
        "5_",
    ],
)
def test_digits_inside_of_a_longer_token_are_no_number(text: str) -> None:
    assert likeliest(text) == []


def test_a_mark_before_three_digits_may_group_them_or_not() -> None:
    [number] = find_numbers("1.234", [])
    assert number.readings == ((Decimal("1.234"), 0.9), (Decimal(1234), 0.6))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("1.234 or 5,5", ["1234"]),
        ("1.234 or 5.5", ["1.234"]),
        ("1,234 or 5.678,00", ["1.234"]),
        ("1,234 or 5,678.00", ["1234"]),
        ("1,234 Mio. or 5.5", ["1234000000"]),
        ("1.234", ["1.234", "1234"]),
        ("1.234 or 5,5 or 6.5", ["1.234", "1234"]),
    ],
)
def test_other_numbers_tell_what_a_mark_means(text: str, values: list[str]) -> None:
    numbers = find_numbers(text, [])
    known = read_with_mark(numbers[0], decimal_mark(numbers))
    assert [format(value, "f") for value, _ in known.readings] == values
    if len(values) == 1:
        assert known.readings[0][1] == 1.0
        assert [value * known.scale for value, _ in known.unscaled] in ([], [known.readings[0][0]])


def test_columns_apart_by_a_space_may_be_two_numbers_or_one() -> None:
    assert likeliest("120 950") == ["120", "120950", "950"]


def test_unit_and_currency_are_kept() -> None:
    [weight, price, share] = find_numbers("5 lbs for € 7.50, 8 per cent off", [])
    assert (weight.unit, price.currency, share.unit) == ("lb", "EUR", "percent")


def test_the_sides_of_a_box_share_their_unit() -> None:
    assert [one.unit for one in find_numbers("30 x 20 x 10 cm", [])] == ["cm", "cm", "cm"]


@pytest.mark.parametrize(
    ("text", "value"), [("$3,499", "3499"), ("70.00 USD", "70.00"), ("5 %", "5"), ("-4", "-4")]
)
def test_a_text_that_is_a_number(text: str, value: str) -> None:
    number = whole_number(text)
    assert number is not None
    assert number.readings[0][0] == Decimal(value)


@pytest.mark.parametrize("text", ["5 apples", "Section 5", "1-2", "", "kg", "Via Roma 12"])
def test_a_text_that_is_more_than_a_number(text: str) -> None:
    assert whole_number(text) is None
