"""`kill -9` at every step of a remote batch's life, and at any moment: all is executed once.

By the books of the provider: no job is submitted, executed or billed twice, none is lost, and what
the run says it has spent is what was billed. `BATCH_LLM_BATCH_KILL_ROUNDS` says how many runs of
each provider are killed at each step; 1 by default.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.batch_kills import cases_of, kill_and_resume, table_of

from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = int(os.environ.get("BATCH_LLM_BATCH_KILL_ROUNDS", "1"))


@pytest.mark.timeout(120 + 60 * ROUNDS)
def test_kills_at_every_step_lose_nothing_and_submit_nothing_twice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Simulator(seed=5, speed=10_000) as simulator:
        verdicts = kill_and_resume(cases_of(5, tmp_path, ROUNDS), simulator)
        assert simulator.broken == 0
    with capsys.disabled():
        print(f"\n{table_of(verdicts)}")
    bad = [verdict for verdict in verdicts if verdict.is_bad]
    assert bad == []
