"""A run over rows, without a processor: every row that goes in comes out once."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from batch_llm.base import LLMCallStrategy, WorkItemResult
from batch_llm.exceptions import InputError
from batch_llm.rows.formats import JSONL
from batch_llm.rows.plan import RowPlan
from batch_llm.rows.run import RowRun
from batch_llm.rows.sink import RowSink
from batch_llm.rows.source import RowSource
from batch_llm.rows.survey import survey
from batch_llm.rows.template import PromptTemplate

if TYPE_CHECKING:
    from batch_llm.base import LLMWorkItem, RetryState, TokenUsage

ROWS = b"""\
{"id": "a", "text": "one", "n": 1}
broken
{"id": "c", "text": "three", "n": 3}
{"id": "d", "n": 4}
{"text": "five", "n": 5}
"""


class Unused(LLMCallStrategy[str]):
    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[str, TokenUsage]:
        raise AssertionError("no call is made here")


class Written(io.BytesIO):
    """What was written, also once the file is closed."""

    def rows(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


class Bench:
    """A run over `ROWS`, and what it writes."""

    def __init__(
        self,
        *,
        content: bytes = ROWS,
        in_input_order: bool = False,
        earlier: Any = None,
        **plan: Any,
    ) -> None:
        self.stream = io.BytesIO(content)
        self.written = Written()
        source = RowSource(self.stream, JSONL, "rows.jsonl")
        row_plan = RowPlan(PromptTemplate("Say {text}"), **plan)
        sink = RowSink(self.written, JSONL, "out.jsonl")
        found = survey(source, row_plan)
        self.run = RowRun(
            source, row_plan, found, sink, in_input_order=in_input_order, earlier=earlier
        )
        self.items = self.run.items(Unused())

    def lines(self) -> list[tuple[int, str]]:
        return [(row["line"], row["status"]) for row in self.written.rows()]


def answer(item: LLMWorkItem[str, Any, None], **values: Any) -> WorkItemResult[Any, None]:
    fields: dict[str, Any] = {"success": True, "output": f"re: {item.prompt}", **values}
    return WorkItemResult(item.item_id, context=item.context, **fields)


def test_usable_rows_become_items_and_the_others_fail_as_they_are_passed() -> None:
    bench = Bench()

    items = [(item.item_id, item.prompt) for item in bench.items]

    assert items == [("a", "Say one"), ("c", "Say three"), ("5", "Say five")]
    assert bench.lines() == [(2, "failed"), (4, "failed")]
    broken, lacking = bench.written.rows()
    assert (broken["id"], lacking["id"]) == ("2", "d")
    assert broken["error"].startswith("InputError: Line 2 is not valid JSON")
    assert lacking["error"] == "InputError: Line 4 has no field 'text'."
    assert broken["error_category"] == "input_error"


def test_rows_are_read_as_they_are_asked_for() -> None:
    bench = Bench()

    next(bench.items)

    assert bench.written.rows() == []


def test_results_are_written_as_they_come() -> None:
    bench = Bench(keep=("n",))
    first, second, third = bench.items

    bench.run.finish(answer(third))
    bench.run.finish(answer(first))
    bench.run.finish(
        answer(second, success=False, output=None, error="E: no", error_category="timeout")
    )

    assert bench.lines()[2:] == [(5, "succeeded"), (1, "succeeded"), (3, "failed")]
    last = bench.written.rows()[-1]
    assert (last["error"], last["error_category"], last["input"]) == ("E: no", "timeout", {"n": 3})
    assert bench.run.tally.done == bench.run.tally.total == 5


@pytest.mark.parametrize("in_input_order", [False, True])
def test_tokens_of_a_result_that_cannot_be_written_are_counted(in_input_order: bool) -> None:
    bench = Bench(in_input_order=in_input_order)
    first = next(bench.items)
    bench.written.close()
    tokens = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}

    with pytest.raises(ValueError, match="closed file"):
        bench.run.finish(answer(first, token_usage=tokens))

    tally = bench.run.tally
    assert (tally.input_tokens, tally.output_tokens, tally.done) == (5, 2, 0)


def test_results_are_written_in_input_order_if_asked_for() -> None:
    bench = Bench(in_input_order=True)
    first, second, third = bench.items

    bench.run.finish(answer(third))
    assert bench.lines() == []
    bench.run.finish(answer(first))
    assert bench.lines() == [(1, "succeeded"), (2, "failed")]
    bench.run.finish(answer(second))

    assert [line for line, _ in bench.lines()] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("in_input_order", [False, True])
def test_rows_that_were_cut_short_are_cancelled_and_unusable_ones_still_fail(
    in_input_order: bool,
) -> None:
    bench = Bench(in_input_order=in_input_order)
    bench.run.finish(answer(next(bench.items)))

    bench.run.close_open_rows()

    assert bench.lines() == [
        (1, "succeeded"),
        (2, "failed"),
        (3, "cancelled"),
        (4, "failed"),
        (5, "cancelled"),
    ]
    assert bench.written.rows()[2]["error_category"] == "cancelled"
    assert (bench.run.tally.cancelled, bench.run.tally.failed) == (2, 2)


def test_closing_a_whole_run_writes_nothing_more() -> None:
    bench = Bench()
    for item in bench.items:
        bench.run.finish(answer(item))

    bench.run.close_open_rows()

    assert len(bench.lines()) == 5


def test_the_limit_holds_for_items_and_for_open_rows() -> None:
    bench = Bench(limit=3)
    bench.run.finish(answer(next(bench.items)))

    bench.run.close_open_rows()

    assert bench.lines() == [(1, "succeeded"), (2, "failed"), (3, "cancelled")]


def test_rows_that_came_after_the_survey_are_left_alone() -> None:
    bench = Bench()
    bench.stream.seek(0, io.SEEK_END)
    bench.stream.write(b'{"id": "late", "text": "six"}\n')

    assert [item.item_id for item in bench.items] == ["a", "c", "5"]


def test_results_that_wait_for_their_turn_are_written_where_rows_have_gone() -> None:
    bench = Bench(in_input_order=True)
    _first, _second, third = bench.items
    bench.run.finish(answer(third))
    bench.stream.truncate(0)

    with pytest.raises(InputError, match="2 rows are gone"):
        bench.run.close_open_rows()

    assert bench.lines() == [(2, "failed"), (4, "failed"), (5, "succeeded")]


def test_rows_that_have_gone_since_the_survey_are_said() -> None:
    bench = Bench()
    bench.stream.truncate(len(ROWS.splitlines(keepends=True)[0]))
    for item in bench.items:
        bench.run.finish(answer(item))

    with pytest.raises(InputError, match=r"rows\.jsonl changed while it was read: 4 rows are gone"):
        bench.run.close_open_rows()


class Earlier:
    """Stands for a ledger in which "a" has failed and "c" has succeeded."""

    def outcome(self, row_id: str) -> str | None:
        return {"a": "failed", "c": "succeeded"}.get(row_id)


def test_rows_that_are_called_for_once_more_are_counted() -> None:
    bench = Bench(earlier=Earlier())
    first, second, third = bench.items

    bench.run.finish(answer(first, attempts=1))
    bench.run.finish(answer(second, attempts=1))
    bench.run.finish(answer(third, attempts=1))

    assert (bench.run.tally.failures_tried_again, bench.run.tally.changed) == (1, 1)


def test_rows_that_are_not_called_for_are_no_such_rows() -> None:
    bench = Bench(earlier=Earlier())
    first, second, _third = bench.items

    bench.run.finish(answer(first, attempts=0, success=False, error_category="budget_exceeded"))
    bench.run.finish(answer(second, attempts=1, origin="ledger", cost_usd=0.5))

    tally = bench.run.tally
    assert (tally.failures_tried_again, tally.changed, tally.replayed) == (0, 0, 1)
    assert tally.cost_usd == 0


def test_what_a_row_cost_and_where_it_came_from_is_written() -> None:
    bench = Bench()
    first, second, third = bench.items

    bench.run.finish(answer(first, attempts=1, cost_usd=0.5))
    bench.run.finish(answer(second, attempts=1, cost_usd=None))
    bench.run.finish(answer(third, success=False, error_category="budget_exceeded"))
    told = {row["id"]: (row["cost_usd"], row["origin"]) for row in bench.written.rows()}

    assert told == {
        "a": (0.5, "call"),
        "2": (0, None),
        "c": (None, "call"),
        "d": (0, None),
        "5": (0, "call"),
    }


def test_an_item_is_known_by_its_id_and_its_prompt_alone() -> None:
    """A ledger must find it wherever in the file it stands, and whatever is kept of it."""
    moved = b'{"text": "zero"}\n' + ROWS
    (first, *_), (_, again, *_) = Bench().items, Bench(content=moved, keep=None).items

    assert (again.item_id, again.prompt, again.context) == (first.item_id, first.prompt, None)
    assert first.context is None


def test_calls_without_an_answer_and_why_an_answer_ended_are_written() -> None:
    bench = Bench()
    first, second, _third = bench.items

    bench.run.finish(answer(first, attempts=1, cost_usd=0.5, finish_reason="length"))
    bench.run.finish(
        answer(second, attempts=1, success=False, error_category="timeout", unanswered_calls=1)
    )

    told = {
        row["id"]: (row["unanswered_calls"], row["finish_reason"]) for row in bench.written.rows()
    }
    assert told == {"a": (0, "length"), "2": (0, None), "c": (1, None), "d": (0, None)}
    assert bench.run.tally.truncated == 1
