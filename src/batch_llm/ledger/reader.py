"""Looking into a ledger, also while another process writes it."""

from __future__ import annotations

import os
import sqlite3
from abc import ABC, abstractmethod
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from ..base import add_usage, complete_usage
from ..exceptions import ConfigurationError
from .canonical import text_bytes
from .digest_index import DigestIndex
from .files import LEDGER, is_for_lines
from .jsonl_file import check_version, lines
from .jsonl_line import VERSION, CallLine, EndLine, ResultLine, RunLine, SettledLine
from .record import KeptRow, KeptRun, LedgerSummary
from .sqlite_schema import STEPS, check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .jsonl_line import Line
    from .record import KeptOutcome


class LedgerReader(ABC):
    """Reads a ledger, and changes nothing in it. Each call sees the file as it is then.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def results(
        self,
        *,
        outcome: KeptOutcome | None = None,
        all: bool = False,  # noqa: A002 - what callers read as a word
    ) -> Iterator[KeptRow]:
        """Yield how each item id stands, in the order in which they ended.

        That is the newest end, whatever the prompt, model or context was. Where these stayed the
        same, a success stands over any failure.

        Args:
            outcome: only those with this one.
            all: every end that was ever kept, those of older prompts and replaced failures
                included; `KeptRow.run` and `KeptRow.digest` tell them apart.

        Raises:
            LedgerError: if the file cannot be read.
        """

    @abstractmethod
    def summary(self) -> LedgerSummary:
        """Return what the ledger says of all its runs.

        Raises:
            LedgerError: if the file cannot be read.
        """


def read_ledger(path: str | Path) -> LedgerReader:
    """Return a reader of the ledger at `path`.

    Raises:
        ConfigurationError: if there is no file, or one that is no ledger or a newer one.
        LedgerError: if it cannot be read.
    """
    place = LEDGER.resolved(path)
    if not place.exists():
        raise ConfigurationError(f"There is no ledger {str(path)!r}.")
    return JsonlReader(place) if is_for_lines(place) else SqliteReader(place)


def _check_version(version: int, known: int, path: Path) -> None:
    if version == 0:
        raise LEDGER.other(path)
    if version < known:
        raise ConfigurationError(
            f"The ledger {str(path)!r} is of an older version. The next run that writes it "
            f"upgrades it."
        )


# One row an identity, a success if there is one, else what came last; and of these, the newest of
# each id. The numbers are below 2 ** 62.
_CURRENT = """
    WITH standing AS (
        SELECT item_id, max(number + (succeeded << 62)) & ((1 << 62) - 1) AS number
        FROM results GROUP BY item_id, digest
    ), latest AS (
        SELECT max(number) AS number FROM standing GROUP BY item_id
    )
"""
_ROWS = (
    "item_id, succeeded, output, error, error_category, attempts, usage, cost_usd, "
    "duration_seconds, unanswered_calls, prompt, run, ended_at, digest, finish_reason"
)


class SqliteReader(LedgerReader):
    """Reads a database, each time in one transaction."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._opened().close()

    def results(
        self,
        *,
        outcome: KeptOutcome | None = None,
        all: bool = False,  # noqa: A002 - what callers read as a word
    ) -> Iterator[KeptRow]:
        """Yield how each item id stands."""
        question = f"SELECT {_ROWS} FROM results"
        if not all:
            question = f"{_CURRENT} {question} JOIN latest USING (number)"
        if outcome is not None:
            question += f" WHERE succeeded = {int(outcome == 'succeeded')}"
        connection = self._opened()
        try:
            for row in connection.execute(f"{question} ORDER BY number"):
                yield _row_of(row)
        except sqlite3.Error as error:
            raise LEDGER.broken(self.path, "Reading", error) from error
        finally:
            connection.close()

    def summary(self) -> LedgerSummary:
        """Return what the ledger says of all its runs."""
        summary = LedgerSummary(path=self.path)
        connection = self._opened()
        try:
            connection.execute("BEGIN")
            _count_items(connection, summary)
            _count_money(connection, summary)
            summary.runs = _runs(connection)
        except sqlite3.Error as error:
            raise LEDGER.broken(self.path, "Reading", error) from error
        finally:
            connection.close()
        return summary

    def _opened(self) -> sqlite3.Connection:
        """Return a connection that cannot write."""
        address = f"file:{quote(str(self.path))}?mode=ro"
        if not os.access(self.path.parent, os.W_OK) and not Path(f"{self.path}-wal").exists():
            address += (
                "&immutable=1"  # no one can be writing, and SQLite's own files cannot be made
            )
        try:
            connection = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30)
            try:
                _check_version(check(connection, self.path), len(STEPS), self.path)
            except BaseException:
                connection.close()
                raise
        except sqlite3.Error as error:
            raise LEDGER.broken(self.path, "Reading", error) from error
        return connection


def _row_of(row: tuple[Any, ...]) -> KeptRow:
    item_id, succeeded, output, error, category, attempts, usage, cost, seconds, *rest = row
    unanswered, prompt, run, at, digest, reason = rest
    return KeptRow(
        item_id=item_id,
        outcome="succeeded" if succeeded else "failed",
        output=output,
        error=error,
        error_category=category,
        attempts=attempts,
        usage=msgspec.json.decode(usage),
        cost_usd=cost,
        duration_seconds=seconds,
        unanswered_calls=unanswered,
        prompt=prompt,
        run=run,
        ended_at=at,
        digest=digest,
        finish_reason=reason,
    )


def _count_items(connection: sqlite3.Connection, summary: LedgerSummary) -> None:
    question = (
        f"{_CURRENT} SELECT succeeded, coalesce(error_category, 'unknown'), count(*) "
        f"FROM results JOIN latest USING (number) GROUP BY 1, 2 ORDER BY 3 DESC, 2"
    )
    for succeeded, category, count in connection.execute(question):
        if succeeded:
            summary.succeeded += count
        else:
            summary.failed += count
            summary.failures[category] = count
    summary.first_ended_at, summary.last_ended_at = connection.execute(
        "SELECT min(ended_at), max(ended_at) FROM results"
    ).fetchone()


def _count_money(connection: sqlite3.Connection, summary: LedgerSummary) -> None:
    summary.spent_usd, usage = connection.execute("SELECT spent_usd, usage FROM totals").fetchone()
    summary.usage = complete_usage(msgspec.json.decode(usage))
    summary.held_calls, summary.held_usd = connection.execute(
        "SELECT count(*), coalesce(sum(bound_usd), 0.0) FROM calls"
    ).fetchone()


def _runs(connection: sqlite3.Connection) -> list[KeptRun]:
    return [
        KeptRun(
            number=number,
            pid=pid,
            version=version,
            started_at=started_at,
            ended_at=ended_at,
            counts=msgspec.json.decode(counts),
        )
        for number, pid, version, started_at, ended_at, counts in connection.execute(
            "SELECT number, pid, version, started_at, ended_at, counts FROM runs ORDER BY number"
        )
    ]


class JsonlReader(LedgerReader):
    """Reads lines, as far as they are whole."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        try:
            _check_version(check_version(path), VERSION, path)
        except OSError as error:
            raise LEDGER.broken(path, "Reading", error) from error

    def results(
        self,
        *,
        outcome: KeptOutcome | None = None,
        all: bool = False,  # noqa: A002 - what callers read as a word
    ) -> Iterator[KeptRow]:
        """Yield how each item id stands."""
        latest = None if all else _latest(self._lines())
        for place, line in self._lines():
            if isinstance(line, ResultLine) and (
                latest is None or latest.find(_id_digest(line)) == place
            ):
                row = line.kept_row()
                if outcome in (None, row.outcome):
                    yield row

    def summary(self) -> LedgerSummary:
        """Return what the ledger says of all its runs."""
        summary, tally = LedgerSummary(path=self.path), _Tally()
        latest = _latest(self._lines())
        for place, line in self._lines():
            if isinstance(line, ResultLine):
                tally.count_money(summary, line)
                if latest.find(_id_digest(line)) == place:
                    _count_item(summary, line)
            else:
                tally.count(summary, line)
        tally.finish(summary)
        return summary

    def _lines(self) -> Iterator[tuple[int, Line]]:
        try:
            yield from lines(self.path)
        except OSError as error:
            raise LEDGER.broken(self.path, "Reading", error) from error


def _id_digest(line: ResultLine) -> bytes:
    return blake2b(text_bytes(line.item_id), digest_size=8).digest()


def _latest(all_lines: Iterator[tuple[int, Line]]) -> DigestIndex:
    """Know the line that counts for each id: the last, but for failures of what had succeeded."""
    latest, succeeded = DigestIndex(), DigestIndex()
    for place, line in all_lines:
        if not isinstance(line, ResultLine):
            continue
        if line.succeeded:
            succeeded.put(line.digest, place)
        elif succeeded.find(line.digest) is not None:
            continue
        latest.put(_id_digest(line), place)
    return latest


def _count_item(summary: LedgerSummary, line: ResultLine) -> None:
    if line.succeeded:
        summary.succeeded += 1
    else:
        summary.failed += 1
        category = line.error_category or "unknown"
        summary.failures[category] = summary.failures.get(category, 0) + 1


class _Tally:
    """Counts what the lines say of runs and of money."""

    def __init__(self) -> None:
        self._runs: dict[int, KeptRun] = {}
        self._reserved: dict[int, float] = {}

    def count(self, summary: LedgerSummary, line: Line) -> None:
        """Count a line that is no result."""
        match line:
            case RunLine():
                self._runs[line.number] = KeptRun(
                    number=line.number,
                    pid=line.pid,
                    version=line.batch_llm,
                    started_at=line.started_at,
                )
            case EndLine():
                self._runs[line.number].ended_at = line.ended_at
                self._runs[line.number].counts = line.counts
            case CallLine():
                self._reserved[line.number] = line.bound_usd
            case SettledLine():
                summary.spent_usd += line.usd
                self._reserved.pop(line.number, None)

    def count_money(self, summary: LedgerSummary, line: ResultLine) -> None:
        """Count what a result has cost, whether or not a later one stands in its place."""
        summary.spent_usd += line.spent_usd
        for number in line.settled:
            self._reserved.pop(number, None)
        if line.counts_tokens:
            summary.usage = add_usage(summary.usage, complete_usage(line.usage))
        if summary.first_ended_at is None:
            summary.first_ended_at = line.ended_at
        summary.last_ended_at = line.ended_at

    def finish(self, summary: LedgerSummary) -> None:
        """Add what only the last line could tell."""
        summary.runs = [run for _, run in sorted(self._runs.items())]
        summary.held_calls = len(self._reserved)
        summary.held_usd = sum(self._reserved.values())
        summary.failures = dict(
            sorted(summary.failures.items(), key=lambda pair: (-pair[1], pair[0]))
        )
