"""Ledgers for tests of what reads them."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from batch_llm.core import LedgerConfig
from batch_llm.ledger import KeptOutput, ResultRecord, identify, open_ledger, request_digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(kw_only=True)
class Kept:
    """The end of one row; without an output it failed."""

    item_id: str
    output: object = None
    error_category: str = "timeout"
    prompt: str = "Say it"
    fingerprint: str = "model"
    duration_seconds: float = 1.5
    cost_usd: float | None = 0.25

    def record(self) -> ResultRecord:
        succeeded = self.output is not None
        return ResultRecord(
            item=identify(self.item_id, request_digest(self.fingerprint, self.prompt)),
            output=KeptOutput(json.dumps(self.output).encode()) if succeeded else None,
            error=None if succeeded else f"E: {self.item_id}",
            error_category=None if succeeded else self.error_category,
            attempts=1,
            usage={"input_tokens": 10, "output_tokens": 3, "total_tokens": 13},
            cost_usd=self.cost_usd,
            duration_seconds=self.duration_seconds,
            prompt_text=self.prompt,
        )


def keep(
    path: Path,
    *rows: Kept,
    ends: bool = True,
    held_usd: float | None = None,
    counts: Mapping[str, int] | None = None,
) -> None:
    """Add a run with these rows to the ledger at `path`.

    Args:
        path: the ledger.
        rows: what ended, in order.
        ends: whether the run ends in good order.
        held_usd: for a call whose answer never came.
        counts: what the run has counted by its end; None for that of `rows` alone.
    """
    usual = {"total": len(rows), "succeeded": 0, "failed": 0, "reused": 0}
    asyncio.run(_keep(path, rows, dict(counts or usual) if ends else None, held_usd))


async def _keep(
    path: Path, rows: tuple[Kept, ...], counts: dict[str, int] | None, held_usd: float | None
) -> None:
    async with open_ledger(LedgerConfig(path)) as ledger:
        await ledger.begin_run("test")
        for row in rows:
            await ledger.keep(row.record())
        if held_usd is not None:
            ledger.hold(await ledger.reserve(held_usd))
        if counts is not None:
            await ledger.end_run(counts)
