"""One run over the rows of a source: every row that goes in comes out as one result."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from ..base import LLMWorkItem
from ..exceptions import InputError
from .input_order import InputOrder
from .result_row import INPUT_ERROR, ResultRow
from .tally import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..base import LLMCallStrategy, WorkItemResult
    from .earlier_results import EarlierResults
    from .plan import Entry, RowPlan
    from .sink import ResultSink
    from .source import RowSource
    from .survey import Survey

    RowItem: TypeAlias = LLMWorkItem[str, Any, None]

CANCELLED_ERROR = "Cancelled: the run ended before this row did."


class RowRun:
    """Gives work items for rows, takes their results, and writes one record for each row.

    Feed `items()` to a processor, give each result to `finish`, and at the end, however it came
    about, call `close_open_rows`. Rows that cannot be used never reach the processor.

    Args:
        source: the rows.
        plan: what is made of each.
        survey: what the first pass over them found.
        sink: where results go; begun with the first row, and left open.
        in_input_order: write results in the order of their rows, not as they come. A result then
            waits in memory for all before it.
        earlier: what a ledger tells of rows, to count those that are called for once more.

    Attributes:
        tally: counts of the results so far.
    """

    def __init__(
        self,
        source: RowSource,
        plan: RowPlan,
        survey: Survey,
        sink: ResultSink,
        *,
        in_input_order: bool = False,
        earlier: EarlierResults | None = None,
    ) -> None:
        self._source = source
        self._plan = plan
        self._survey = survey
        self._sink = sink
        self._order = InputOrder() if in_input_order else None
        self._ended = bytearray(survey.total)  # by position: 1 where the row has its result
        # Those that have an item and no result yet. An item has no context: a ledger knows a row by
        # its id and its prompt, wherever in the source it stands and whatever is kept of it.
        self._open: dict[str, Entry] = {}
        self._earlier = earlier
        self.tally = Tally(survey.total)

    def items(self, strategy: LLMCallStrategy[Any]) -> Iterator[RowItem]:
        """Yield a work item for each usable row; the others fail as they are passed.

        Raises:
            ConfigurationError: if the output cannot be opened.
            OutputError: if the result of a row that failed cannot be written.
        """
        self._sink.begin()
        for entry in self._entries():
            if entry.prompt is None:
                self._end(entry, self._unusable(entry))
            else:
                item_id = self._survey.id_of(entry)
                self._open[item_id] = entry
                yield LLMWorkItem(item_id, strategy, entry.prompt)

    def finish(self, result: WorkItemResult[Any, None]) -> None:
        """Write the result of one item that `items` gave.

        Raises:
            OutputError: if it cannot be written.
        """
        entry = self._open.pop(result.item_id)
        row = self._finished(entry, result)
        if self._earlier is not None and row.origin == "call" and row.attempts:
            self.tally.add_repeated(self._earlier.outcome(row.id))
        self._end(entry, row)

    def close_open_rows(self) -> None:
        """Write a result for every row that has none yet.

        Raises:
            OutputError: if one cannot be written.
            InputError: if rows have gone from the source since the survey.
        """
        if self.tally.done == self.tally.total:
            return
        try:
            for entry in self._entries():
                if not self._ended[entry.position]:
                    unusable = entry.prompt is None
                    self._end(entry, self._unusable(entry) if unusable else self._cancelled(entry))
        finally:
            # Also where the source cannot be read on: these results are paid for.
            for row in self._order.release() if self._order else ():
                self._sink.write(row)
        missing = self.tally.total - self.tally.done
        if missing:
            raise InputError(
                f"{self._source.name} changed while it was read: {missing} rows are gone."
            )

    def _entries(self) -> Iterator[Entry]:
        for entry in self._plan.entries(self._source):
            if entry.position == self.tally.total:
                return  # the source has grown since the survey
            yield entry

    def _end(self, entry: Entry, row: ResultRow) -> None:
        # Before anything can go wrong: the money is spent, even if the row cannot be written.
        self.tally.add_cost(row)
        ready = (row,) if self._order is None else self._order.arrive(entry.position, row)
        for each in ready:
            self._sink.write(each)
        self._ended[entry.position] = 1
        self.tally.add(row)

    def _finished(self, entry: Entry, result: WorkItemResult[Any, None]) -> ResultRow:
        return ResultRow(
            id=result.item_id,
            line=entry.line,
            status=result.outcome,
            output=result.output,
            error=result.error,
            error_category=result.error_category,
            attempts=result.attempts,
            tokens=result.token_usage,
            cost_usd=result.cost_usd if result.attempts else 0.0,
            unanswered_calls=result.unanswered_calls,
            duration_seconds=result.duration_seconds,
            origin=result.origin,
            finish_reason=result.finish_reason,
            input=entry.kept,
        )

    def _unusable(self, entry: Entry) -> ResultRow:
        return ResultRow(
            id=self._survey.id_of(entry),
            line=entry.line,
            status="failed",
            error=f"InputError: {entry.reason}",
            error_category=INPUT_ERROR,
            input=entry.kept,
        )

    def _cancelled(self, entry: Entry) -> ResultRow:
        return ResultRow(
            id=self._survey.id_of(entry),
            line=entry.line,
            status="cancelled",
            error=CANCELLED_ERROR,
            error_category="cancelled",
            input=entry.kept,
        )
