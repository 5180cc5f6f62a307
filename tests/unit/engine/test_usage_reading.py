"""Reading tokens from whatever says so."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from batch_llm.engine.usage_reading import failed_usage, usage_of

BILLED = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}


def error(**attributes: Any) -> Exception:
    made = RuntimeError("failed")
    made.__dict__.update(attributes)
    return made


class Method:
    def __init__(self, usage: Any) -> None:
        self._usage = usage

    def usage(self) -> Any:
        return self._usage


@pytest.mark.parametrize(
    "usage",
    [
        BILLED,
        {"input_tokens": 100, "output_tokens": 10},
        {"request_tokens": 100, "response_tokens": 10},
        {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        SimpleNamespace(input_tokens=100, output_tokens=10),
        SimpleNamespace(request_tokens=100, response_tokens=10, total_tokens=110),
        SimpleNamespace(prompt_tokens=100, completion_tokens=10, details={"reasoning": 3}),
    ],
)
def test_counts_are_read_under_the_names_libraries_give_them(usage: Any) -> None:
    assert failed_usage(error(usage=usage)) == BILLED
    assert usage_of(usage, "a") == BILLED


@pytest.mark.parametrize("name", ["cached_input_tokens", "cache_read_tokens"])
def test_cached_tokens_are_read_too(name: str) -> None:
    usage = failed_usage(error(usage={"input_tokens": 10, name: 4}))
    assert usage is not None
    assert usage["cached_input_tokens"] == 4


@pytest.mark.parametrize("name", ["hour_cache_write_tokens", "cache_write_1h_tokens"])
def test_what_a_cache_took_is_read_too(name: str) -> None:
    said = {"input_tokens": 10, "output_tokens": 1, "cache_write_tokens": 6, name: 4}
    for usage in (usage_of(SimpleNamespace(**said), "a"), failed_usage(error(usage=said))):
        assert usage is not None
        assert (usage["cache_write_tokens"], usage["hour_cache_write_tokens"]) == (6, 4)


def test_the_exceptions_own_dictionary_goes_first() -> None:
    made = error(_failed_token_usage=BILLED, usage={"input_tokens": 1})
    assert failed_usage(made) == BILLED


def test_usage_and_result_may_be_methods() -> None:
    assert failed_usage(error(usage=lambda: BILLED)) == BILLED
    assert failed_usage(error(result=Method(BILLED))) == BILLED
    assert failed_usage(error(result=SimpleNamespace(usage=BILLED))) == BILLED


def test_the_chain_is_followed_to_the_nearest_that_says() -> None:
    inner, middle, outer = error(usage={"input_tokens": 1}), error(usage=BILLED), error()
    middle.__cause__, outer.__cause__ = inner, middle
    assert failed_usage(outer) == BILLED


def test_the_context_counts_unless_it_is_suppressed() -> None:
    outer = error()
    outer.__context__ = error(usage=BILLED)
    assert failed_usage(outer) == BILLED
    outer.__suppress_context__ = True
    assert failed_usage(outer) is None


@pytest.mark.parametrize(
    "made",
    [
        error(),
        error(usage=None),
        error(usage={}),
        error(usage="many"),
        error(usage={"input_tokens": None}),
        error(usage={"input_tokens": "7"}),
        error(usage={"input_tokens": True}),
        error(usage=7),
        error(result=None),
        error(result=Method(None)),
    ],
)
def test_where_nothing_is_said_it_is_none_with_a_debug_line(
    made: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, "batch_llm"):
        assert failed_usage(made) is None
    assert [record.levelname for record in caplog.records] == ["DEBUG"]
    assert "RuntimeError" in caplog.text


def test_a_method_that_raises_is_none() -> None:
    def usage() -> None:
        raise OSError

    assert failed_usage(error(usage=usage)) is None


def test_a_cause_is_read_though_the_exception_itself_cannot_be() -> None:
    def usage() -> None:
        raise OSError

    outer = error(usage=usage)
    outer.__cause__ = error(usage=BILLED)
    assert failed_usage(outer) == BILLED


def test_a_ring_of_causes_ends() -> None:
    first, second = error(), error()
    first.__cause__, second.__cause__ = second, first
    assert failed_usage(first) is None


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 0}])
def test_a_usage_of_nothing_is_zero_without_a_word(
    usage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert usage_of(usage, "a") == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    assert caplog.records == []


@pytest.mark.parametrize(
    "usage", ["many", 7, [1], object(), {"input_tokens": "5"}, {"output_tokens": [1]}]
)
def test_a_usage_that_cannot_be_read_is_zero_with_a_warning_that_names_the_item(
    usage: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert usage_of(usage, "item-7") == {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "item-7" in record.message


def test_the_usage_returned_is_not_the_one_given() -> None:
    given = dict(BILLED)
    assert usage_of(given, "a") is not given
