"""How a call ends, by what the client got of it."""

from __future__ import annotations

import pytest

from batch_llm.testing.simulator import CallRecord, FaultKind


def _record(*, executed: bool, fault: FaultKind | None = None) -> CallRecord:
    return CallRecord(
        0.0, "openai", "responses", "gpt-5", "k", "live", b"", executed=executed, fault=fault
    )


@pytest.mark.parametrize(
    ("executed", "fault", "status", "whole", "fate"),
    [
        (True, None, 200, True, "answered"),
        (True, None, 200, False, "lost"),
        (True, None, 500, True, "lost"),
        (True, None, 0, False, "lost"),
        (True, FaultKind.ERROR_IN_200, 200, True, "lost"),
        (True, FaultKind.EMPTY, 200, True, "answered"),
        (True, FaultKind.SLOW_BODY, 200, True, "answered"),
        (True, FaultKind.DROPPED, 0, False, "lost"),
        (False, None, 429, True, "limited"),
        (False, FaultKind.STATUS, 429, True, "failed"),
        (False, None, 500, True, "failed"),
        (False, FaultKind.RESET_BEFORE, 0, False, "failed"),
    ],
)
def test_a_call_ends_so(
    executed: bool, fault: FaultKind | None, status: int, whole: bool, fate: str
) -> None:
    record = _record(executed=executed, fault=fault)
    assert record.fate_after(status, whole=whole) == fate
