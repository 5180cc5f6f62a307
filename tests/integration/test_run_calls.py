"""What may be called of one run at the same moment, from threads and event loops."""

from __future__ import annotations

import asyncio
import gc
import math
import threading
from typing import TYPE_CHECKING, Any, Literal

import pytest

from batch_llm.batch import Batch, BatchRun
from batch_llm.batch.running import session as session_module
from batch_llm.batch.state.journal import Journal, open_journal
from batch_llm.exceptions import AuthenticationError, ConfigurationError, ServerError, StateError
from batch_llm.providers import MockBatchClient, Retries

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from batch_llm.batch import RunStatus

JOBS = 6
QUICK: dict[str, Any] = {"poll_interval_seconds": 0.01, "orphan_grace_seconds": 0.05}


class Opening:
    """Holds up the opening of a state until it is let go."""

    def __init__(self) -> None:
        self.has_begun = threading.Event()
        self.goes_on = threading.Event()
        self.fault: Exception | None = None

    def __call__(self, path: Path) -> Journal:
        self.has_begun.set()
        assert self.goes_on.wait(20)
        if self.fault is not None:
            raise self.fault
        return open_journal(path)


@pytest.fixture
def opening(monkeypatch: pytest.MonkeyPatch) -> Opening:
    opening = Opening()
    monkeypatch.setattr(session_module, "open_journal", opening)
    return opening


def run_of(client: MockBatchClient, **settings: Any) -> BatchRun:
    batch = Batch(clients={"openai": client}, **QUICK)
    batch.defaults(model="gpt-4o-mini")
    for n in range(JOBS):
        batch.add_job(f"job {n}", prompt=f"question {n}")
    return BatchRun(batch.jobs, batch.params, clients={"openai": client}, **settings)


async def streamed(run: BatchRun) -> int:
    return len([result async for result in run.stream() if result.is_success])


async def started(run: BatchRun) -> None:
    await asyncio.to_thread(run.start)


async def until_it_opens(opening: Opening) -> None:
    assert await asyncio.to_thread(opening.has_begun.wait, 20)


@pytest.mark.parametrize(
    "calls",
    [
        (BatchRun.arun, streamed),
        (streamed, BatchRun.arun),
        (BatchRun.arun, BatchRun.arun, started),
        (started, BatchRun.arun, streamed, streamed),
    ],
)
async def test_a_run_is_begun_once_whoever_asks_for_it(
    calls: tuple[Callable[[BatchRun], Coroutine[Any, Any, object]], ...],
) -> None:
    client = MockBatchClient()
    run = run_of(client)
    told = await asyncio.gather(*(call(run) for call in calls))
    assert await asyncio.to_thread(run.wait, 20)
    assert all(each == JOBS for each in told if isinstance(each, int))
    assert len(client.batches) == 1
    assert run.status().succeeded == JOBS


def test_threads_that_start_a_run_at_once_start_it_once() -> None:
    client = MockBatchClient()
    run, barrier, faults = run_of(client), threading.Barrier(8), list[Exception]()

    def start() -> None:
        barrier.wait(20)
        try:
            run.start()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert run.wait(20)
    assert (faults, len(client.batches)) == ([], 1)


@pytest.mark.parametrize("order", ["shutdown", "cancel", "stop_gently", "leave"])
async def test_what_is_asked_while_the_state_is_opened_is_done_once_it_is(
    opening: Opening, order: Literal["shutdown", "cancel", "stop_gently", "leave"]
) -> None:
    client = MockBatchClient()
    run = run_of(client)
    running = asyncio.create_task(run.arun())
    await until_it_opens(opening)
    getattr(run, order)()
    opening.goes_on.set()
    await asyncio.wait_for(running, 20)
    assert not client.batches
    assert run.status().pending == JOBS
    assert run.status().stopped_because in {
        "it was shut down",
        "it was cancelled",
        "it was interrupted",
    }


async def test_what_is_asked_before_anything_began_is_nothing(opening: Opening) -> None:
    run = run_of(MockBatchClient())
    run.shutdown()
    opening.goes_on.set()
    assert (await run.arun()).status().succeeded == JOBS


async def test_a_run_of_which_the_end_is_waited_for_on_its_own_loop_says_so(
    opening: Opening,
) -> None:
    run = run_of(MockBatchClient())
    running = asyncio.create_task(run.arun())
    await until_it_opens(opening)
    with pytest.raises(ConfigurationError, match="wait for itself"):
        run.wait()
    opening.goes_on.set()
    await running


async def test_who_waits_for_the_end_learns_that_the_state_could_not_be_opened(
    opening: Opening, tmp_path: Path
) -> None:
    run = run_of(MockBatchClient())
    opening.fault = StateError("It cannot be read.", tmp_path, "it cannot be read")
    running = asyncio.create_task(run.arun())
    await until_it_opens(opening)
    waiting = asyncio.create_task(asyncio.to_thread(run.shutdown))
    await asyncio.sleep(0.05)
    opening.goes_on.set()
    with pytest.raises(StateError):
        await running
    await asyncio.wait_for(waiting, 20)
    opening.fault = None
    assert (await run.arun()).status().succeeded == JOBS


async def test_who_only_waits_for_a_run_does_not_end_it() -> None:
    client = MockBatchClient(delays=lambda _: 0.2)
    run = run_of(client).start()
    waiting = asyncio.create_task(run.arun())
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert await asyncio.to_thread(run.wait, 20)
    assert run.status().succeeded == JOBS


async def test_who_waits_for_a_run_is_told_what_ended_it() -> None:
    client = MockBatchClient(retries=Retries(attempts=1))
    client.fail("create", AuthenticationError("The key is refused.", status_code=401), times=None)
    run = run_of(client)
    told = await asyncio.gather(run.arun(), run.arun(), streamed(run), return_exceptions=True)
    assert [type(each) for each in told] == [AuthenticationError] * 3


async def test_a_stream_tells_of_the_run_that_it_was_asked_of(opening: Opening) -> None:
    opening.goes_on.set()
    client = MockBatchClient(failures={"job 1": ServerError("500", status_code=500)})
    run = run_of(client)
    results = run.stream()
    first = await anext(results)
    await asyncio.to_thread(run.wait, 20)
    await asyncio.to_thread(run.retry_failed)
    left = [result.job_id async for result in results]
    assert len({first.job_id, *left}) == JOBS
    assert len(left) == JOBS - 1
    assert await asyncio.to_thread(run.wait, 20)


@pytest.mark.parametrize("order", ["stop_gently", "leave", "has_ended"])
def test_what_a_signals_handler_calls_waits_for_no_lock(
    monkeypatch: pytest.MonkeyPatch, order: Literal["stop_gently", "leave", "has_ended"]
) -> None:
    run = run_of(MockBatchClient(delays=lambda _: 0.2)).start()
    main, enter, taken = threading.main_thread(), threading.Condition.__enter__, list[str]()

    def told_enter(condition: threading.Condition) -> bool:
        # The handler cuts in wherever the main thread is, in the middle of such a lock too.
        if threading.current_thread() is main:
            taken.append(order)
        return enter(condition)

    with monkeypatch.context() as patch:
        patch.setattr(threading.Condition, "__enter__", told_enter)
        getattr(run, order)()
    assert not taken
    assert run.wait(20)


def test_a_cancel_that_comes_too_late_is_told_to_nobody(recwarn: pytest.WarningsRecorder) -> None:
    for _ in range(20):
        run = run_of(MockBatchClient()).start()
        run.cancel()
        assert run.wait(20)
    gc.collect()
    assert not [warning for warning in recwarn if "never awaited" in str(warning.message)]


# -- progress


def test_the_last_that_a_program_is_told_is_that_nothing_runs() -> None:
    told = list[tuple[bool, int]]()

    def tell(status: RunStatus) -> None:
        told.append((status.is_running, status.succeeded))

    run_of(MockBatchClient(delays=lambda _: 0.1)).set_on_progress(tell, 0.01).wait()
    assert told[-1] == (False, JOBS)
    assert {is_running for is_running, _ in told[:-1]} == {True}


def test_the_last_that_a_program_is_told_is_what_ended_the_run() -> None:
    client = MockBatchClient(retries=Retries(attempts=1))
    client.fail("create", AuthenticationError("The key is refused.", status_code=401), times=None)
    told = list[str | None]()
    run = run_of(client, on_progress=lambda status: told.append(status.stopped_because))
    with pytest.raises(AuthenticationError):
        run.wait()
    assert told[-1] is not None
    assert "refuses the key" in told[-1]


@pytest.mark.parametrize("interval", ["x", None, True, 0, math.nan])
def test_an_interval_that_is_no_time_is_refused(interval: Any) -> None:
    with pytest.raises(ConfigurationError, match="interval is seconds above 0"):
        run_of(MockBatchClient()).set_on_progress(print, interval)


def test_a_callback_that_raises_is_logged_once_for_each_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    calls = list[int]()

    def fail(status: RunStatus) -> None:
        calls.append(1)
        raise KeyError("one" if len(calls) < 3 else "other")

    run = run_of(MockBatchClient(delays=lambda _: 0.2)).set_on_progress(fail, 0.01)
    run.wait()
    assert len(calls) > 4
    assert caplog.text.count("on_progress raised") == 2
    assert run.status().succeeded == JOBS
