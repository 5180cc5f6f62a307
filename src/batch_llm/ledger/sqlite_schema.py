"""The tables of a ledger in SQLite, and the way from each older form to the present one."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Final

from .files import LEDGER

if TYPE_CHECKING:
    from pathlib import Path

APPLICATION_ID: Final = 0x624C4C4D
"""Marks a database as ours ("bLLM")."""

_FIRST: Final = """
CREATE TABLE totals (
    spent_usd REAL NOT NULL,
    usage TEXT NOT NULL,
    finished_upto INTEGER NOT NULL,
    answers_upto INTEGER NOT NULL
);
INSERT INTO totals VALUES (0.0, '{}', 0, 0);
CREATE TABLE runs (
    number INTEGER PRIMARY KEY,
    pid INTEGER NOT NULL,
    version TEXT NOT NULL,
    started_at REAL NOT NULL,
    ended_at REAL,
    counts TEXT NOT NULL DEFAULT '{}'
);
CREATE TABLE calls (
    number INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    bound_usd REAL NOT NULL
);
CREATE TABLE results (
    number INTEGER PRIMARY KEY,
    digest BLOB NOT NULL,
    request BLOB NOT NULL,
    item_id TEXT NOT NULL,
    run INTEGER NOT NULL,
    succeeded INTEGER NOT NULL,
    output BLOB,
    output_class TEXT,
    error TEXT,
    error_category TEXT,
    attempts INTEGER NOT NULL,
    usage TEXT NOT NULL,
    cost_usd REAL,
    duration_seconds REAL NOT NULL,
    unanswered_calls INTEGER NOT NULL,
    prompt TEXT,
    ended_at REAL NOT NULL,
    finish_reason TEXT
);
CREATE TABLE finished (digest BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE answers (request BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID
"""
# `results` is only appended to, and has no index on digests, which are random: to keep one up to
# date takes four times as long as the rest. `finished` and `answers` are filled in order, when a
# run begins, from the results up to the number in `totals`.

STEPS: tuple[str, ...] = (_FIRST,)
"""The statements that lead from version N to N + 1; those of version 0, no ledger yet, come first.

Each ends up in a release: a step is never changed, only followed by another.
"""


def upgrade(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the database to the present version: in one transaction, so wholly or not at all.

    Raises:
        ConfigurationError: if it is no ledger, or a newer one.
        LedgerError: if it cannot be read or written.
    """
    try:
        version = check(connection, path)
        if version == len(STEPS):
            return
        connection.execute("BEGIN IMMEDIATE")
        try:
            for step in STEPS[version:]:
                for statement in step.split(";"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(STEPS)}")
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise LEDGER.broken(path, "Opening", error) from error


def check(connection: sqlite3.Connection, path: Path) -> int:
    """Return the version of the ledger; 0 for a database without anything.

    Raises:
        ConfigurationError: if it is no ledger, or a newer one.
    """
    try:
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        tables: int = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise
        raise LEDGER.other(path) from None
    if tables == 0 and version == 0 and application == 0:
        return 0
    if application != APPLICATION_ID or version < 1:
        raise LEDGER.other(path)
    if version > len(STEPS):
        raise LEDGER.newer(path, version, len(STEPS))
    return version
