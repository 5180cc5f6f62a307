from __future__ import annotations

import pytest

from batch_llm.batch.citations.passage import Passage


def ends(text: str) -> list[str]:
    passage = Passage.read(text)
    spans = [*passage.dates, *passage.numbers]
    places = sorted((one.start, one.end) for one in spans)
    return [" ".join(passage.label(*place).own[-2:]) for place in places]


@pytest.mark.parametrize("text", ["70,000 - 90,000", "5 bis 12", "1.5 to 2.5", "-5 to 12"])
def test_the_ends_of_a_range_are_a_start_and_an_end_and_the_lowest_and_the_highest(
    text: str,
) -> None:
    assert ends(text) == ["start min", "end max"]


@pytest.mark.parametrize(
    "text", ["$70,000 - $90,000", "5 °C to 12 °C", "10 % bis 20 %", "EUR 5 - EUR 9", "3 kg - 5 kg"]
)
def test_units_and_currencies_may_stand_between(text: str) -> None:
    assert [end.split()[-1] for end in ends(text)] == ["min", "max"]


@pytest.mark.parametrize("text", ["5 boxes to 12", "90 EUR - 20 EUR", "5, 12", "$5 and $9"])
def test_other_numbers_are_no_range(text: str) -> None:
    assert not {"min", "max"} & set(" ".join(ends(text)).split())


def test_dates_have_a_start_and_an_end() -> None:
    assert [end.split()[-1] for end in ends("2024-05-01 - 2024-05-04")] == ["start", "end"]
