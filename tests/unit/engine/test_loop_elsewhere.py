"""Work on the loop of another thread, and interrupts of the one that waits."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest

from batch_llm.engine.loop_elsewhere import LoopElsewhere

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def interrupt() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def stop() -> None:
    """Let the first interrupt stop nothing."""


def test_an_interrupt_that_comes_with_the_end_of_the_work_is_not_lost() -> None:
    async def work() -> int:
        interrupt()
        interrupt()
        return 1

    with LoopElsewhere(stop) as loop, pytest.raises(KeyboardInterrupt):
        while True:  # the two may be heard as one
            loop.wait_for(work())


def test_the_first_one_stops_and_the_result_is_returned() -> None:
    heard = threading.Event()

    async def work() -> int:
        interrupt()
        while not heard.is_set():
            await asyncio.sleep(0.001)
        return 1

    with LoopElsewhere(heard.set) as loop:
        assert loop.wait_for(work()) == 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_its_errors_are_those_of_the_work() -> None:
    async def work() -> None:
        raise ValueError("no")

    with LoopElsewhere(stop) as loop, pytest.raises(ValueError, match="no"):
        loop.wait_for(work())
