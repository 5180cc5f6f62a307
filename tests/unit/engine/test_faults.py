"""Faults of the user's own code."""

from __future__ import annotations

import asyncio

import pytest

from batch_llm.engine.faults import is_fault, logged_faults


async def test_an_exception_is_a_fault_and_the_end_of_the_program_is_not() -> None:
    assert is_fault(ValueError())
    assert not is_fault(KeyboardInterrupt())
    assert not is_fault(SystemExit())


async def test_a_cancellation_is_a_fault_only_where_nobody_cancelled() -> None:
    assert is_fault(asyncio.CancelledError())
    seen = []

    async def cancelled() -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError as error:
            seen.append(is_fault(error))
            raise

    task = asyncio.create_task(cancelled())
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait([task])
    assert seen == [False]


async def test_faults_are_logged_by_type_and_place_and_forgiven(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with logged_faults("%s failed for %s.", "Step", "a"):
        try:
            raise KeyError("an answer")
        except KeyError:
            raise ValueError("a prompt") from None
    (record,) = caplog.records
    assert record.message.startswith("Step failed for a.")
    assert "ValueError" in record.message
    assert "test_faults.py" in record.message
    assert "prompt" not in caplog.text
    assert "answer" not in caplog.text


async def test_what_is_no_fault_passes_through(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(KeyboardInterrupt), logged_faults("never"):
        raise KeyboardInterrupt
    assert caplog.records == []
