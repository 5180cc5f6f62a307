from __future__ import annotations

import pytest

from batch_llm.batch.citations.dates import (
    CalendarDate,
    find_dates,
    order_of_digits,
    read_in_order,
    whole_date,
)

THIRD_OF_MARCH = CalendarDate(2024, 3, 3)


@pytest.mark.parametrize(
    "text",
    [
        "2024-03-03", "2024-03-03T09:30:00Z", "2024/03/03", "03.03.2024", "3.3.24", "03/03/24",
        "March 3, 2024", "Mar. 3rd 2024", "3 March 2024", "3rd of March 2024",
        "3rd day of March, 2024",
        "3. März 2024", "3 mars 2024", "03-Mar-2024",
    ],
)  # fmt: skip
def test_a_day_is_read_in_every_way_of_writing_it(text: str) -> None:
    assert whole_date(text) == (THIRD_OF_MARCH,)


@pytest.mark.parametrize("text", ["1er février 2024", "1. Februar 2024", "Feb 1, 2024"])
def test_months_have_names_in_three_languages(text: str) -> None:
    assert whole_date(text) == (CalendarDate(2024, 2, 1),)


def test_a_month_alone_has_no_day() -> None:
    assert whole_date("July 2017") == whole_date("2017-07") == (CalendarDate(2017, 7, None),)


def test_slashes_leave_day_and_month_open() -> None:
    assert whole_date("03/04/24") == (CalendarDate(2024, 4, 3), CalendarDate(2024, 3, 4))


def test_one_date_of_a_document_tells_the_order_of_the_others() -> None:
    dates = find_dates("Signed 05/06/2023, delivered 25/06/2023")
    assert order_of_digits(dates) is True
    assert read_in_order(dates[0], is_day_first=True).readings == (CalendarDate(2023, 6, 5),)


def test_dates_that_disagree_tell_no_order() -> None:
    assert order_of_digits(find_dates("25/06/2023 and 06/25/2023")) is None


@pytest.mark.parametrize(
    "text", ["2024-13-01", "31.02.2024", "INV-2024-01-17", "1.2.3.4", "12 foo 2024"]
)
def test_what_is_no_date(text: str) -> None:
    assert find_dates(text) == []
