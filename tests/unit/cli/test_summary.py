"""The lines that end a run."""

from __future__ import annotations

from batch_llm.cli.monitor import Monitor
from batch_llm.cli.summary import dry_run_summary, summary
from batch_llm.rows.result_row import ResultRow
from batch_llm.rows.tally import Tally


def lines_of(tally: Tally) -> list[str]:
    now = iter([0.0, 10.0])
    glance = Monitor(tally, lambda: next(now)).glance()
    return [str(line) for line in summary(tally, glance, output="out.jsonl")]


def failed(row_id: str, category: str, error: str) -> ResultRow:
    return ResultRow(id=row_id, line=1, status="failed", error=error, error_category=category)


def test_a_run_that_succeeded() -> None:
    tally = Tally(1)
    tally.add(ResultRow(id="a", line=1, status="succeeded"))

    assert lines_of(tally) == [
        "1 row in 10 s (6.0 rows/min): 1 succeeded.",
        "Tokens: 0 in, 0 out. Retries: 0. Rate limits: 0.",
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
    assert lines[2:5] == [
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
        tally.add_tokens(row)
        tally.add(row)
    tally.add(failed("x", "input_error", "I: no"))

    assert [str(line) for line in dry_run_summary(tally)] == [
        "Dry run: no model was called, and nothing was written.",
        "3 rows: 2 requests would be sent, about 1,400 tokens in, 1 failed.",
        "Failures:",
        "  input_error: 1 row, first 'x': I: no",
    ]
