"""The lines that end a run."""

from __future__ import annotations

from typing import Any

from batch_llm.cli.monitor import Monitor
from batch_llm.cli.summary import Cap, dry_run_summary, summary
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.tally import Tally


def lines_of(tally: Tally, **about: Any) -> list[str]:
    now = iter([0.0, 10.0])
    glance = Monitor(tally, lambda: next(now)).glance()
    return [str(line) for line in summary(tally, glance, output="out.jsonl", **about)]


def failed(row_id: str, category: str, error: str) -> ResultRow:
    return ResultRow(id=row_id, line=1, status="failed", error=error, error_category=category)


def test_a_run_that_succeeded() -> None:
    tally = Tally(1)
    tally.add(ResultRow(id="a", line=1, status="succeeded"))

    assert lines_of(tally) == [
        "1 row in 10 s (6.0 rows/min): 1 succeeded.",
        "Tokens: 0 in, 0 out. Retries: 0. Rate limits: 0.",
        "Cost: 0.00 USD.",
        "Results: out.jsonl",
    ]


def test_failures_are_grouped_the_largest_first() -> None:
    tally = Tally(4)
    tally.add(failed("x", "timeout", "T: slow"))
    tally.add(failed("y", "client_error", "C: no"))
    tally.add(failed("z", "client_error", "C: never"))
    tally.add(ResultRow(id="c", line=4, status="cancelled", error_category="cancelled"))

    lines = lines_of(tally)

    assert lines[0] == "4 rows in 10 s (18.0 rows/min): 0 succeeded, 3 failed, 1 cancelled."
    assert lines[3:6] == [
        "Failures:",
        "  client_error: 2 rows, first 'y': C: no",
        "  timeout: 1 row, first 'x': T: slow",
    ]


def test_rows_that_were_not_written_are_told() -> None:
    tally = Tally(1_500)
    tally.add(ResultRow(id="a", line=1, status="succeeded"))

    assert lines_of(tally)[0].endswith("1 succeeded, 1,499 not written.")


def test_what_a_file_or_a_provider_says_cannot_move_the_cursor() -> None:
    tally = Tally(1)
    tally.add(failed("a\x1b[2J\nb", "unknown", "E: \x1b]0;title\x07\nx"))

    assert all(line.isprintable() for line in lines_of(tally))


def test_a_dry_run_says_what_would_be_sent() -> None:
    tally = Tally(3)
    for row_id in "ab":
        row = ResultRow(id=row_id, line=1, status="succeeded")
        row.tokens = {"input_tokens": 700, "output_tokens": 0, "total_tokens": 700}
        row.origin = "call"
        tally.add_cost(row)
        tally.add(row)
    tally.add(failed("x", "input_error", "I: no"))

    assert [str(line) for line in dry_run_summary(tally)] == [
        "Dry run: no model was called, and nothing was written.",
        "3 rows: 2 requests would be sent, about 1,400 tokens in, 1 failed.",
        "Failures:",
        "  input_error: 1 row, first 'x': I: no",
    ]


# -- money


def test_a_cost_that_is_not_whole_says_what_is_missing() -> None:
    tally = Tally(9, called=9, cost_usd=0.0123, unpriced=2, unanswered_calls=1)

    assert (
        "Cost: at least 0.0123 USD: the price of 2 rows is not known and 1 call that may be billed "
        "got no answer."
    ) in lines_of(tally)


def test_a_price_that_nobody_knows_is_said() -> None:
    (line,) = (line for line in lines_of(Tally(2, called=2, unpriced=2)) if "Cost" in line)

    assert line.startswith("Cost: not known;")
    assert "--priced-as" in line


def test_what_is_left_of_the_cap() -> None:
    tally = Tally(1, called=1, cost_usd=1.5)

    whole = lines_of(tally, cap=Cap(5.0, 3.5, is_exact=True))
    uncertain = lines_of(tally, cap=Cap(5.0, 3.5, is_exact=False))

    assert "Cost: 1.50 USD. Left of --max-cost 5: 3.50 USD." in whole
    assert "Cost: 1.50 USD. Left of --max-cost 5: at most 3.50 USD." in uncertain


# -- what came from earlier runs, and what is left for later ones

AGAIN = "run the same command again"


def test_what_was_not_called_for_is_said() -> None:
    tally = Tally(9, replayed=3, called=2, failures_tried_again=1, changed=1, cached=1, shared=2)

    assert lines_of(tally, is_resumed=True)[1] == (
        "3 rows replayed from the ledger, 1 earlier failure tried again, 1 row asked anew, since "
        "prompt or model have changed, 1 row answered from the cache, 2 rows answered by the call "
        "of an equal one. 2 rows called for."
    )


def test_a_finished_run_that_is_run_again_says_that_it_made_no_call() -> None:
    tally = Tally(2, succeeded=2, replayed=2)

    lines = lines_of(tally, is_resumed=True, again=AGAIN)

    assert lines[1] == "2 rows replayed from the ledger. No call was made."
    assert not any(AGAIN in line for line in lines)


def test_rows_that_failed_can_be_tried_again_where_there_is_a_ledger() -> None:
    tally = Tally(1)
    tally.add(failed("x", "timeout", "T: slow"))

    assert f"To try again what has not succeeded, {AGAIN}." in lines_of(tally, again=AGAIN)
    assert not any("try again" in line for line in lines_of(tally))


def test_rows_that_cannot_be_used_are_not_worth_another_run() -> None:
    tally = Tally(1)
    tally.add(failed("x", "input_error", "InputError: Line 1 has no field 'text'."))

    assert not any("try again" in line for line in lines_of(tally, again=AGAIN))


def test_a_cap_that_is_reached_says_what_to_do() -> None:
    tally = Tally(1)
    error = "BudgetExceededError: Raise max_cost_usd, or bound the call: max_output_tokens."
    tally.add(failed("x", "budget_exceeded", error))

    with_ledger, without = lines_of(tally, again=AGAIN), lines_of(tally)

    assert f"The cap stopped 1 row: raise --max-cost, and {AGAIN}." in with_ledger
    assert any("raise --max-cost, and run the command with a --ledger" in line for line in without)
    assert any("Raise --max-cost, or bound the call: --max-tokens." in line for line in without)


def test_a_deadline_that_has_passed_says_how_to_go_on() -> None:
    lines = lines_of(Tally(5), again=AGAIN, ran_out=True)

    assert f"The deadline has passed; to go on, {AGAIN}." in lines


def test_answers_that_were_cut_are_told() -> None:
    one = "1 answer was cut at the token limit (--max-tokens)."

    assert one in lines_of(Tally(1, succeeded=1, truncated=1))
    assert "2 answers were cut at the token limit (--max-tokens)." in lines_of(
        Tally(2, succeeded=2, truncated=2)
    )
    assert not any("cut" in line for line in lines_of(Tally(1, succeeded=1)))
