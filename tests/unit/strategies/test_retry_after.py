"""How long a provider asks to wait."""

from __future__ import annotations

import time
from email.utils import formatdate
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_llm.strategies import retry_after_seconds, retry_delay_seconds, suggested_wait


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "7"}, 7.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
    ],
)
def test_headers_are_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_seconds(headers) == seconds


def test_a_date_is_turned_into_seconds_from_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1_700_000_000.0)
    later = formatdate(1_700_000_042, usegmt=True)
    earlier = formatdate(1_600_000_000, usegmt=True)
    assert retry_after_seconds({"retry-after": later}) == 42.0
    assert retry_after_seconds({"retry-after": earlier}) == 0.0


@given(st.text(max_size=60))
def test_any_header_is_read_or_passed_over(text: str) -> None:
    seconds = retry_after_seconds({"retry-after": text, "retry-after-ms": text})
    assert seconds is None or seconds >= 0


@pytest.mark.parametrize(
    ("details", "seconds"),
    [
        ({"retryDelay": "3.5s"}, 3.5),
        ({"retryDelay": "39s"}, 39.0),
        ([{"other": 1}, {"retryDelay": "2s"}], 2.0),
        ({"error": {"details": [{"@type": "x"}, {"retryDelay": "8s"}]}}, 8.0),
        ({"details": [{"retryDelay": "8s"}]}, 8.0),
        ({"retryDelay": "soon"}, None),
        ({"retryDelay": 3}, None),
        ({}, None),
        ([], None),
        (None, None),
        ("retryDelay", None),
        (b"8s", None),
    ],
)
def test_googles_details_are_read(details: Any, seconds: float | None) -> None:
    assert retry_delay_seconds(details) == seconds


def error(**attributes: Any) -> Exception:
    made = RuntimeError("429")
    made.__dict__.update(attributes)
    return made


@pytest.mark.parametrize(
    ("made", "seconds"),
    [
        (error(), None),
        (error(retry_after=4), 4.0),
        (error(retry_after=0), 0.0),
        (error(retry_after=None, headers={"Retry-After": "9"}), 9.0),
        (error(retry_after=True), None),
        (error(retry_after=-5), None),
        (error(retry_after=float("nan")), None),
        (error(headers={"RETRY-AFTER": "9"}), 9.0),
        (error(response=SimpleNamespace(headers={"Retry-After": "9"})), 9.0),
        (error(response=SimpleNamespace(headers={"x": "9"}), details={"retryDelay": "2s"}), 2.0),
        (error(details={"error": {"details": [{"retryDelay": "2s"}]}}), 2.0),
        (error(response=None, details=None), None),
        (error(headers="Retry-After: 9"), None),
    ],
)
def test_an_exception_of_any_library_is_read(made: Exception, seconds: float | None) -> None:
    assert suggested_wait(made) == seconds
