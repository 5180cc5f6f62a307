"""A ledger as an SQLite database."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from ..base import add_usage, complete_usage
from ..files import Place, create_private
from .entry import CallReserved, CallSettled, ItemEnded, RunBegun, RunEnded
from .files import LEDGER
from .record import KeptOutput, KeptResult
from .sqlite_schema import upgrade
from .store import Standing, Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from ..base import TokenUsage
    from ..core import LedgerConfig
    from .entry import Entry
    from .record import ResultRecord

_COLUMNS: Final = (
    "digest, request, item_id, run, succeeded, output, output_class, error, error_category, "
    "attempts, usage, cost_usd, duration_seconds, unanswered_calls, prompt, ended_at, finish_reason"
)
_PLACES: Final = f"({', '.join('?' * len(_COLUMNS.split(',')))})"
_FOUND: Final = (
    "item_id, output, output_class, attempts, usage, cost_usd, duration_seconds, "
    "unanswered_calls, ended_at, finish_reason"
)
_FIND: Final = (
    f"SELECT {_FOUND} FROM finished JOIN results USING (number) WHERE finished.digest = ?"
)
_FIND_ANSWER: Final = (
    f"SELECT {_FOUND} FROM answers JOIN results USING (number) WHERE answers.request = ?"
)
_FILL_FINISHED: Final = """
    INSERT OR REPLACE INTO finished
    SELECT digest, max(number) FROM results
    WHERE succeeded AND number > (SELECT finished_upto FROM totals) GROUP BY digest
"""
_FILL_ANSWERS: Final = """
    INSERT OR REPLACE INTO answers
    SELECT request, max(number) FROM results
    WHERE succeeded AND number > (SELECT answers_upto FROM totals) GROUP BY request
"""
_MOVE_FINISHED: Final = (
    "UPDATE totals SET finished_upto = (SELECT coalesce(max(number), 0) FROM results)"
)
_MOVE_ANSWERS: Final = (
    "UPDATE totals SET answers_upto = (SELECT coalesce(max(number), 0) FROM results)"
)

# Rows in one statement. Each step of a statement gives up the interpreter's lock and must get it
# back from a busy event loop, which can take 5 ms: a group takes a few steps, not one a row.
_CHUNKS: Final = (32, 16, 8, 4, 2, 1)


_Row = TypeVar("_Row")


@dataclass(slots=True)
class _Batch:
    """A group's entries, by table."""

    results: list[tuple[Any, ...]] = field(default_factory=list)
    reserved: list[tuple[int, int, float]] = field(default_factory=list)
    settled: list[int] = field(default_factory=list)
    runs: list[RunBegun | RunEnded] = field(default_factory=list)
    spent_usd: float = 0.0
    usage: TokenUsage | None = None

    def count_tokens(self, record: ResultRecord) -> None:
        """Add what calls of the item itself have used."""
        if record.counts_tokens:
            used = complete_usage(record.usage)  # type: ignore[arg-type]  # a TypedDict is a mapping
            self.usage = used if self.usage is None else add_usage(self.usage, used)


class SqliteStore(Store):
    """One table a kind of entry; WAL, one transaction a group.

    Args:
        path: the file; created if need be.
        config: the durability, and whether answers are found by request.

    Raises:
        ConfigurationError: if the file is no ledger, or a newer one.
        LedgerError: if it cannot be read or written.
    """

    def __init__(self, path: Path, config: LedgerConfig) -> None:
        self.path = path
        self.has_results = False
        self._has_answers = config.response_cache
        self._stores_prompts = config.store_prompts
        try:
            create_private(path)  # SQLite gives the files beside it the same rights
            self._writing = _connected(path)
            try:
                upgrade(self._writing, path)
                _set_up(self._writing, config)
                self.standing = _standing(self._writing)
                self._reading = _connected(path)
            except BaseException:
                self._writing.close()
                raise
            self._place = Place(path)
        except (OSError, sqlite3.Error) as error:
            raise LEDGER.broken(path, "Opening", error) from error

    def write(self, entries: Sequence[Entry]) -> None:
        """Write the entries in one transaction."""
        batch = self._sorted(entries)
        execute = self._writing.execute
        execute("BEGIN IMMEDIATE")
        try:
            for run in batch.runs:
                self._write_run(run)
            _insert(self._writing, f"results ({_COLUMNS})", _PLACES, batch.results)
            _insert(self._writing, "calls", "(?, ?, ?)", batch.reserved)
            for numbers in _chunks(batch.settled):
                places = ", ".join("?" * len(numbers))
                execute(f"DELETE FROM calls WHERE number IN ({places})", numbers)
            if batch.spent_usd:
                execute("UPDATE totals SET spent_usd = spent_usd + ?", (batch.spent_usd,))
            if batch.usage is not None:
                self._add_usage(batch.usage)
            if self._has_answers and batch.results:
                execute(_FILL_ANSWERS)
                execute(_MOVE_ANSWERS)
            execute("COMMIT")
        except BaseException:
            if self._writing.in_transaction:  # SQLite has rolled back by itself where it could not
                execute("ROLLBACK")
            raise
        self._place.check()

    def _sorted(self, entries: Sequence[Entry]) -> _Batch:
        batch = _Batch()
        for entry in entries:
            match entry:
                case ItemEnded():
                    batch.results.append(self._row(entry))
                    batch.spent_usd += entry.spent_usd
                    batch.count_tokens(entry.record)
                    if settlements := entry.record.settlements:
                        batch.settled += [s.call_number for s in settlements if s.usd is not None]
                case CallReserved():
                    batch.reserved.append((entry.call_number, entry.run, entry.bound_usd))
                case CallSettled():
                    if entry.usd is not None:
                        batch.settled.append(entry.call_number)
                        batch.spent_usd += entry.usd
                case _:
                    batch.runs.append(entry)
        return batch

    def _row(self, ended: ItemEnded) -> tuple[Any, ...]:
        record, output = ended.record, ended.record.output
        return (
            record.item.digest,
            record.item.request,
            record.item.item_id,
            ended.run,
            output is not None,
            output and output.content,
            output and output.class_path,
            record.error,
            record.error_category,
            record.attempts,
            msgspec.json.encode(record.usage).decode(),
            record.cost_usd,
            record.duration_seconds,
            record.unanswered_calls,
            record.prompt_text if self._stores_prompts else None,
            ended.at,
            record.finish_reason,
        )

    def _add_usage(self, usage: TokenUsage) -> None:
        execute = self._writing.execute
        (before,) = execute("SELECT usage FROM totals").fetchone()
        total = add_usage(complete_usage(msgspec.json.decode(before)), usage)
        execute("UPDATE totals SET usage = ?", (msgspec.json.encode(total).decode(),))

    def _write_run(self, entry: RunBegun | RunEnded) -> None:
        execute = self._writing.execute
        if isinstance(entry, RunEnded):
            counts = msgspec.json.encode(entry.counts).decode()
            ended = (entry.at, counts, entry.run)
            execute("UPDATE runs SET ended_at = ?, counts = ? WHERE number = ?", ended)
            return
        begun = (entry.run, entry.pid, entry.version, entry.at)
        execute("INSERT INTO runs (number, pid, version, started_at) VALUES (?, ?, ?, ?)", begun)
        execute(_FILL_FINISHED)
        execute(_MOVE_FINISHED)
        if self._has_answers:
            execute(_FILL_ANSWERS)
            execute(_MOVE_ANSWERS)
        self.has_results = execute("SELECT 1 FROM finished LIMIT 1").fetchone() is not None

    def find(self, digest: bytes) -> KeptResult | None:
        """Return the success of that item in a run before the present one."""
        return self._found(_FIND, digest)

    def find_answer(self, request: bytes) -> KeptResult | None:
        """Return a success for that request."""
        return self._found(_FIND_ANSWER, request)

    def _found(self, question: str, digest: bytes) -> KeptResult | None:
        try:
            # All rows, so that the read ends here: one left open would keep the log from shrinking.
            rows = self._reading.execute(question, (digest,)).fetchall()
        except sqlite3.Error as error:
            raise LEDGER.broken(self.path, "Reading", error) from error
        return _kept(rows[0]) if rows else None

    def close(self) -> None:
        """Close the database, which merges its log into it."""
        self._reading.close()
        self._writing.close()


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, cached_statements=256, timeout=30
    )


def _set_up(connection: sqlite3.Connection, config: LedgerConfig) -> None:
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError("the file system cannot hold SQLite's write-ahead log")
    # NORMAL: a commit is with the system, and survives the process; FULL: it is on the disk.
    level = "FULL" if config.durability == "power" else "NORMAL"
    connection.execute(f"PRAGMA synchronous = {level}")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")


def _standing(connection: sqlite3.Connection) -> Standing:
    execute = connection.execute
    (spent_usd,) = execute("SELECT spent_usd FROM totals").fetchone()
    (last_run,) = execute("SELECT coalesce(max(number), 0) FROM runs").fetchone()
    last_call, held_usd = execute(
        "SELECT coalesce(max(number), 0), coalesce(sum(bound_usd), 0.0) FROM calls"
    ).fetchone()
    return Standing(last_run, last_call, spent_usd, held_usd)


def _insert(
    connection: sqlite3.Connection, table: str, places: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    for chunk in _chunks(rows):
        values = ", ".join([places] * len(chunk))
        connection.execute(
            f"INSERT INTO {table} VALUES {values}",
            [value for row in chunk for value in row],
        )


def _chunks(rows: Sequence[_Row]) -> Iterator[Sequence[_Row]]:
    """Yield the rows in pieces of a few sizes, so that each size's statement is compiled once."""
    start = 0
    for size in _CHUNKS:
        while start + size <= len(rows):
            yield rows[start : start + size]
            start += size


def _kept(row: Iterable[Any]) -> KeptResult:
    item_id, output, output_class, attempts, usage, cost, seconds, unanswered, at, reason = row
    return KeptResult(
        item_id=item_id,
        output=KeptOutput(output, output_class),
        attempts=attempts,
        usage=msgspec.json.decode(usage),
        cost_usd=cost,
        duration_seconds=seconds,
        unanswered_calls=unanswered,
        ended_at=at,
        finish_reason=reason,
    )
