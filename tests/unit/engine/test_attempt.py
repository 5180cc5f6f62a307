"""What a call came to, in our terms."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from batch_llm import FrameworkTimeoutError, RetryState
from batch_llm.engine import attempt
from batch_llm.engine.deadlines import Deadlines
from batch_llm.engine.leases import Lease
from batch_llm.engine.life import ItemLife

from ...standins import Model, item, now


async def called(limit_seconds: float = 10.0) -> tuple[Any, asyncio.Task[Any], Deadlines]:
    """Return an item's life, its task and its deadlines, a call having begun."""
    model = Model()
    task = asyncio.current_task()
    assert task is not None
    lease = Lease(model)
    life = ItemLife(item("a", model), 0, now(), lease, lease, RetryState())
    life.called = now()
    deadlines = Deadlines(limit_seconds)
    deadlines.begin(task, now())
    return life, task, deadlines


async def came_to(*, expires: bool, cancelled: bool) -> BaseException:
    """Return what a call comes to that is cut off by its deadline, by the run, or by both."""

    async def call() -> BaseException:
        life, task, deadlines = await called()
        if cancelled:
            asyncio.get_running_loop().call_at(now() + 10.0, task.cancel)
        try:
            await asyncio.sleep(1_000 if expires or cancelled else 0)
            raise asyncio.CancelledError  # out of nowhere
        except asyncio.CancelledError as error:
            if not expires:
                deadlines.end(task)
            meaning = attempt.failed(error, life, task, deadlines)
        finally:
            deadlines.close()
        while task.uncancel():
            pass
        return meaning

    return await asyncio.create_task(call())


async def test_an_expiry_is_a_timeout() -> None:
    meaning = await came_to(expires=True, cancelled=False)
    assert isinstance(meaning, FrameworkTimeoutError)
    assert (meaning.item_id, meaning.elapsed, meaning.timeout_limit) == ("a", 10.0, 10.0)


async def test_a_cancellation_by_the_run_stays_one_at_the_very_moment_of_the_expiry_too() -> None:
    assert isinstance(await came_to(expires=True, cancelled=True), asyncio.CancelledError)


async def test_a_cancellation_out_of_nowhere_is_a_failure_of_the_call() -> None:
    meaning = await came_to(expires=False, cancelled=False)
    assert isinstance(meaning, attempt.CallCancelledError)
    assert isinstance(meaning.__cause__, asyncio.CancelledError)


async def test_any_other_failure_stays_what_it_is_and_stops_the_clock() -> None:
    life, task, deadlines = await called()
    error = ConnectionError("gone")
    assert attempt.failed(error, life, task, deadlines) is error
    await asyncio.sleep(100)
    assert not task.cancelling()


async def test_a_framework_timeout_of_the_strategys_own_stays_what_it_is() -> None:
    life, task, deadlines = await called()
    error = FrameworkTimeoutError("mine")
    assert attempt.failed(error, life, task, deadlines) is error


@pytest.mark.parametrize("answer", [("out", {}), ("out", None)])
async def test_a_pair_is_an_answer(answer: tuple[Any, Any]) -> None:
    life, task, deadlines = await called()
    assert attempt.checked(answer, "execute", life) == answer
    attempt.stop_clock(task, deadlines)
    await asyncio.sleep(100)
    assert not task.cancelling()
