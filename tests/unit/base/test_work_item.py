"""What goes in."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from batch_llm import LLMCallStrategy, LLMRequest, LLMWorkItem, RequestStrategy


class TextOnly(LLMCallStrategy[str]):
    async def execute(self, prompt: str, attempt: int, timeout: float, state: Any = None) -> Any:
        return prompt, {}


class Requests(RequestStrategy[str]):
    async def execute(self, prompt: Any, attempt: int, timeout: float, state: Any = None) -> Any:
        return prompt, {}


def test_prompt_and_context_may_be_left_out() -> None:
    strategy = TextOnly()
    item = LLMWorkItem("a", strategy)
    assert (item.item_id, item.strategy, item.prompt, item.context) == ("a", strategy, "", None)


def test_fields_are_in_this_order_and_by_name() -> None:
    strategy = TextOnly()
    by_place = LLMWorkItem("a", strategy, "p", {"row": 1})
    by_name = LLMWorkItem(item_id="a", strategy=strategy, prompt="p", context={"row": 1})
    assert by_place == by_name


@pytest.mark.parametrize("item_id", ["", " ", "\t\n", "\u2003", None, 7, b"a", ["a"], object()])
def test_an_id_that_is_empty_blank_or_no_string_is_refused(item_id: Any) -> None:
    with pytest.raises(ValueError, match="item_id"):
        LLMWorkItem(item_id, TextOnly())


@pytest.mark.parametrize("item_id", ["a", "0", " a ", "ä/ö:ü", "x" * 10_000])
def test_any_other_string_will_do(item_id: str) -> None:
    assert LLMWorkItem(item_id, TextOnly()).item_id == item_id


def test_no_strategy_is_refused_and_the_item_named() -> None:
    with pytest.raises(ValueError, match="row-17"):
        LLMWorkItem("row-17", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(("length", "warnings"), [(1_000_000, 0), (1_000_001, 1)])
def test_a_prompt_over_a_million_characters_is_warned_of(
    length: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "batch_llm"):
        LLMWorkItem("row-17", TextOnly(), "x" * length)
    assert len(caplog.records) == warnings
    for record in caplog.records:
        assert "row-17" in record.message
        assert "xxx" not in record.message


def test_a_large_request_is_warned_of_too(caplog: pytest.LogCaptureFixture) -> None:
    LLMWorkItem("row-17", Requests(), LLMRequest("x" * 600_000, system="y" * 600_000))
    assert len(caplog.records) == 1


def test_a_request_needs_a_strategy_that_takes_one() -> None:
    request = LLMRequest("hello")
    assert LLMWorkItem("a", Requests(), request).prompt is request
    with pytest.raises(ValueError, match="TextOnly"):
        LLMWorkItem("a", TextOnly(), request)


def test_no_prompt_is_in_the_error() -> None:
    with pytest.raises(ValueError, match="TextOnly") as caught:
        LLMWorkItem("a", TextOnly(), LLMRequest("the-secret-prompt"))
    assert "the-secret-prompt" not in str(caught.value)
