"""Numbers as a person reads them."""

from __future__ import annotations

import pytest

from batch_llm.base import figures


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0.0 s"),
        (4.25, "4.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1:00"),
        (75, "1:15"),
        (3599.6, "1:00:00"),
        (3723, "1:02:03"),
        (360_000, "100:00:00"),
    ],
)
def test_durations(seconds: float, expected: str) -> None:
    assert figures.duration(seconds) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (0, "0"),
        (9_999, "9,999"),
        (10_000, "10.0k"),
        (999_940, "999.9k"),
        (999_960, "1.0M"),
        (1_234_567, "1.2M"),
        (2_500_000_000, "2.5G"),
    ],
)
def test_short_counts(number: int, expected: str) -> None:
    assert figures.short_count(number) == expected


@pytest.mark.parametrize(
    ("per_second", "expected"),
    [
        (45_487.1, "45,487 rows/s"),
        (99.96, "100 rows/s"),
        (12.34, "12.3 rows/s"),
        (1, "1.0 rows/s"),
        (0.5, "30.0 rows/min"),
        (0, "0.0 rows/min"),
    ],
)
def test_rates(per_second: float, expected: str) -> None:
    assert figures.rate(per_second) == expected


@pytest.mark.parametrize(
    ("number", "expected"), [(1, "1 row"), (0, "0 rows"), (1200, "1,200 rows")]
)
def test_plurals(number: int, expected: str) -> None:
    assert figures.plural(number, "row") == expected


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0, "0.00 USD"),
        (1234.5, "1,234.50 USD"),
        (1, "1.00 USD"),
        (0.99996, "1.00 USD"),
        (0.5, "0.500 USD"),
        (0.0123456, "0.0123 USD"),
        (0.00001, "0.0000100 USD"),
        (-0.5, "-0.500 USD"),
    ],
)
def test_money(amount: float, expected: str) -> None:
    assert figures.usd(amount) == expected


@pytest.mark.parametrize(
    ("done", "total", "expected"),
    [(0, 0, "0/0 100%"), (0, 3, "0/3 0%"), (2, 3, "2/3 66%"), (1000, 1000, "1,000/1,000 100%")],
)
def test_shares(done: int, total: int, expected: str) -> None:
    assert figures.share(done, total) == expected
