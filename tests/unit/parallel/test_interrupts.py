"""Ctrl-C, in real processes with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")

PRELUDE = '''
import asyncio, os, signal, sys, threading
from batch_llm import *

def say(*words):
    print(*words, flush=True)

listening = []

def on_input():
    for _ in range(os.read(0, 1024).count(b"\\n")):
        heard = listening.pop(0)
        if not heard.done():
            heard.set_result(None)

def hear():
    """Wait for the test's next line, without a thread that could not be ended."""
    loop = asyncio.get_running_loop()
    loop.add_reader(0, on_input)
    listening.append(loop.create_future())
    return listening[-1]

class Asks(LLMCallStrategy):
    """The first call is in flight until the test says so."""
    cleanups = 0
    async def execute(self, prompt, attempt, timeout, state=None):
        if prompt == "0":
            # A moment later: a main thread that started this loop on another is waiting by then.
            asyncio.get_running_loop().call_later(0.05, say, "in flight")
            try:
                await hear()
            except asyncio.CancelledError:
                say("cut off")
                raise
        return prompt, {}
    async def cleanup(self):
        Asks.cleanups += 1

def work(count=5):
    strategy = Asks()
    return [LLMWorkItem(str(number), strategy, str(number)) for number in range(count)]

def outcomes(batch):
    return " ".join(result.outcome for result in batch)

_stop = ParallelBatchProcessor.stop

def stop(self):
    _stop(self)
    say("stopping")

ParallelBatchProcessor.stop = stop
'''


class Program:
    """A program that runs while the test talks to it."""

    def __init__(self, code: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", PRELUDE + textwrap.dedent(code)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for(self, line: str) -> str:
        """Read up to a line that begins with `line`, and return it."""
        assert self._process.stdout is not None
        for said in self._process.stdout:
            if said.startswith(line):
                return said.strip()
        raise AssertionError(f"never said {line!r}: {self._process.stderr.read()}")  # type: ignore[union-attr]

    def interrupt(self) -> None:
        self._process.send_signal(signal.SIGINT)

    def tell(self, line: str = "go") -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def end(self) -> tuple[int, str, str]:
        """Return exit status, what it still said, and its errors."""
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, err

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate()


@pytest.fixture
def start() -> Iterator[Any]:
    programs: list[Program] = []

    def begin(code: str) -> Program:
        programs.append(Program(code))
        return programs[-1]

    yield begin
    for program in programs:
        program.kill()


PROCESS_ALL = """
    async def main():
        async with ParallelBatchProcessor(max_workers=1) as processor:
            batch = await processor.process_all(work())
        say("ended:", outcomes(batch))
        say("handler:", signal.getsignal(signal.SIGINT).__class__.__name__)
    asyncio.run(main())
    say("after:", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_the_first_one_lets_the_call_in_flight_finish(start: Any) -> None:
    program = start(PROCESS_ALL)
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.tell()
    ended = program.wait_for("ended:")
    assert ended == "ended: succeeded cancelled cancelled cancelled cancelled"
    # asyncio.run's own handler is back before the program goes on.
    assert program.wait_for("handler:") == "handler: partial"
    assert program.wait_for("after:") == "after: True"
    assert program.end()[0] == 0


def test_the_second_one_stops_at_once(start: Any) -> None:
    program = start(
        """
        async def main():
            processor = ParallelBatchProcessor(max_workers=1)
            try:
                async with processor:
                    await processor.process_all(work())
            finally:
                say("kept:", outcomes(processor.results), Asks.cleanups)
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            say("interrupted")
            sys.exit(7)
        """
    )
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.interrupt()
    program.wait_for("cut off")
    assert program.wait_for("kept:") == "kept: " + "cancelled " * 5 + "1"
    program.wait_for("interrupted")
    assert program.end()[0] == 7


def test_once_it_has_stopped_the_next_run_can_be_interrupted_again(start: Any) -> None:
    program = start(
        """
        async def main():
            async with ParallelBatchProcessor(max_workers=1) as processor:
                for _ in range(2):
                    say("ended:", outcomes(await processor.process_all(work(2))))
        asyncio.run(main())
        """
    )
    for _ in range(2):
        program.wait_for("in flight")
        program.interrupt()
        program.wait_for("stopping")
        program.tell()
        assert program.wait_for("ended:") == "ended: succeeded cancelled"
    assert program.end()[0] == 0


def test_a_stream_ends_gracefully_too(start: Any) -> None:
    program = start(
        """
        async def main():
            async with ParallelBatchProcessor(max_workers=1) as processor:
                async for result in processor.stream(work(3)):
                    say("result:", result.item_id, result.outcome)
        asyncio.run(main())
        say("done")
        """
    )
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.tell()
    assert program.wait_for("result:") == "result: 0 succeeded"
    assert program.wait_for("result:") == "result: 1 cancelled"
    assert program.wait_for("result:") == "result: 2 cancelled"
    program.wait_for("done")
    assert program.end()[0] == 0


def test_the_wait_between_attempts_is_cut_short(start: Any) -> None:
    program = start(
        """
        class Down(LLMCallStrategy):
            async def execute(self, prompt, attempt, timeout, state=None):
                asyncio.get_running_loop().call_later(0.01, say, "waiting")
                raise ConnectionError("down")
        async def main():
            config = ProcessorConfig(retry=RetryConfig(initial_wait=10_000, max_wait=10_000))
            async with ParallelBatchProcessor(config=config) as processor:
                batch = await processor.process_all([LLMWorkItem("a", Down())])
            say("ended:", outcomes(batch))
        asyncio.run(main())
        """
    )
    program.wait_for("waiting")
    program.interrupt()
    assert program.wait_for("ended:") == "ended: cancelled"
    assert program.end()[0] == 0


@pytest.mark.parametrize("how", ["signal.signal", "loop.add_signal_handler"])
def test_a_handler_of_the_programs_own_is_left_alone(start: Any, how: str) -> None:
    program = start(
        f"""
        async def main():
            if {how!r} == "signal.signal":
                signal.signal(signal.SIGINT, lambda *_: say("mine"))
            else:
                loop = asyncio.get_running_loop()
                loop.add_signal_handler(signal.SIGINT, say, "mine")
            before = signal.getsignal(signal.SIGINT)
            async with ParallelBatchProcessor(max_workers=1) as processor:
                batch = await processor.process_all(work(2))
            say("ended:", outcomes(batch), signal.getsignal(signal.SIGINT) is before)
        asyncio.run(main())
        """
    )
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("mine")
    program.interrupt()
    program.wait_for("mine")
    program.tell()
    assert program.wait_for("ended:") == "ended: succeeded succeeded True"
    assert program.end()[0] == 0


def test_ignored_interrupts_stay_ignored(start: Any) -> None:
    """As under nohup."""
    program = start(
        """
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        async def main():
            async with ParallelBatchProcessor(max_workers=1) as processor:
                say("ended:", outcomes(await processor.process_all(work(2))))
        asyncio.run(main())
        """
    )
    program.wait_for("in flight")
    program.interrupt()
    program.tell()
    assert program.wait_for("ended:") == "ended: succeeded succeeded"
    assert program.end()[0] == 0


def test_a_handler_set_during_the_run_is_left_alone_at_its_end(start: Any) -> None:
    program = start(
        """
        def mine(*_):
            pass
        async def main():
            async with ParallelBatchProcessor(max_workers=1) as processor:
                await processor.add_work(LLMWorkItem("a", Sets()))
                await processor.process_all()
            say("kept:", signal.getsignal(signal.SIGINT) is mine)
        class Sets(LLMCallStrategy):
            async def execute(self, prompt, attempt, timeout, state=None):
                signal.signal(signal.SIGINT, mine)
                return prompt, {}
        asyncio.run(main())
        """
    )
    assert program.wait_for("kept:") == "kept: True"
    assert program.end()[0] == 0


def test_it_can_be_turned_off(start: Any) -> None:
    program = start(
        """
        async def main():
            config = ProcessorConfig(graceful_interrupt=False)
            async with ParallelBatchProcessor(config=config) as processor:
                await processor.process_all(work())
        try:
            asyncio.run(main())
        except KeyboardInterrupt:
            say("interrupted")
        """
    )
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("cut off")
    program.wait_for("interrupted")
    assert program.end()[0] == 0


def test_a_processor_on_another_thread_sets_no_handler(start: Any) -> None:
    program = start(
        """
        async def main():
            async with ParallelBatchProcessor(max_workers=1) as processor:
                say("ended:", outcomes(await processor.process_all(work(2))))
            done.set()
        done = threading.Event()
        threading.Thread(target=lambda: asyncio.run(main())).start()
        try:
            done.wait()
        except KeyboardInterrupt:
            say("main thread interrupted")
        done.wait()
        """
    )
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("main thread interrupted")
    program.tell()
    assert program.wait_for("ended:") == "ended: succeeded succeeded"
    assert program.end()[0] == 0


def test_two_processors_at_once_both_stop(start: Any) -> None:
    program = start(
        """
        async def one():
            async with ParallelBatchProcessor(max_workers=1) as processor:
                say("ended:", outcomes(await processor.process_all(work(2))))
        async def main():
            await asyncio.gather(one(), one())
            say("handler:", signal.getsignal(signal.SIGINT).__class__.__name__)
        asyncio.run(main())
        say("after:", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
        """
    )
    program.wait_for("in flight")
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.tell()
    program.tell()
    assert program.wait_for("ended:") == "ended: succeeded cancelled"
    assert program.wait_for("ended:") == "ended: succeeded cancelled"
    assert program.wait_for("handler:") == "handler: partial"
    assert program.wait_for("after:") == "after: True"
    assert program.end()[0] == 0


def test_interrupted_while_calls_never_wait_it_stops_all_the_same(start: Any) -> None:
    program = start(
        """
        import itertools
        class Quick(LLMCallStrategy):
            async def execute(self, prompt, attempt, timeout, state=None):
                if prompt == "1000":
                    say("busy")
                return prompt, {}
        quick = Quick()
        endless = (LLMWorkItem(str(n), quick, str(n)) for n in itertools.count())
        async def main():
            async with ParallelBatchProcessor(max_workers=2) as processor:
                batch = await processor.process_all(endless)
            say("ended:", batch.succeeded > 1000, batch.cancelled <= 1)
        asyncio.run(main())
        """
    )
    program.wait_for("busy")
    program.interrupt()
    assert program.wait_for("ended:") == "ended: True True"
    assert program.end()[0] == 0


# -- the functions that are not async


SYNC = """
    batch = process_prompts_sync([str(n) for n in range(4)], Asks(), max_workers=1)
    say("ended:", outcomes(batch))
"""

IN_A_NOTEBOOK = """
    async def cell():
        batch = process_prompts_sync([str(n) for n in range(4)], Asks(), max_workers=1)
        say("ended:", outcomes(batch))
    loop = asyncio.new_event_loop()
    loop.run_until_complete(cell())
    loop.close()
"""


@pytest.mark.parametrize("code", [SYNC, IN_A_NOTEBOOK], ids=["script", "notebook"])
def test_a_sync_call_returns_what_there_is_after_the_first(start: Any, code: str) -> None:
    program = start(code)
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.tell()
    assert program.wait_for("ended:") == "ended: succeeded cancelled cancelled cancelled"
    assert program.end()[0] == 0


@pytest.mark.parametrize("code", [SYNC, IN_A_NOTEBOOK], ids=["script", "notebook"])
def test_a_sync_call_raises_at_once_after_the_second(start: Any, code: str) -> None:
    body = textwrap.indent(textwrap.dedent(code), "    ")
    program = start(f"try:\n{body}\nexcept KeyboardInterrupt:\n    say('interrupted')\n")
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.interrupt()
    program.wait_for("cut off")
    program.wait_for("interrupted")
    assert program.end()[0] == 0


STREAM_SYNC = """
    for result in process_stream_sync([str(n) for n in range(4)], Asks(), max_workers=1):
        say("result:", result.item_id, result.outcome)
    say("done")
"""


def test_a_sync_stream_yields_what_there_is_after_the_first(start: Any) -> None:
    program = start(STREAM_SYNC)
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.tell()
    assert program.wait_for("result:") == "result: 1 succeeded"
    assert program.wait_for("result:") == "result: 2 cancelled"
    program.wait_for("done")
    assert program.end()[0] == 0


def test_a_sync_stream_raises_at_once_after_the_second(start: Any) -> None:
    body = textwrap.indent(textwrap.dedent(STREAM_SYNC), "    ")
    program = start(
        f"try:\n{body}\nexcept BaseException as error:\n    say('raised:', type(error).__name__)\n"
    )
    program.wait_for("in flight")
    program.interrupt()
    program.wait_for("stopping")
    program.interrupt()
    program.wait_for("cut off")
    assert program.wait_for("raised:") == "raised: KeyboardInterrupt"
    assert program.end()[0] == 0


def test_wherever_two_cut_in_no_lock_stays_held(start: Any) -> None:
    """Also in the midst of a lock's own code, where an exception would leave it held for ever."""
    program = start(
        """
        countdown = -1
        enter = threading.Condition.__enter__

        def cut_in(self):
            global countdown
            held = enter(self)
            if threading.get_ident() == threading.main_thread().ident:
                countdown -= 1
                if countdown in (0, -1):
                    os.kill(os.getpid(), signal.SIGINT)
            return held

        threading.Condition.__enter__ = cut_in

        class Quick(LLMCallStrategy):
            async def execute(self, prompt, attempt, timeout, state=None):
                return prompt, {}

        for countdown in range(1, 25):
            try:
                for result in process_stream_sync(["a", "b"], Quick(), max_workers=1):
                    pass
            except KeyboardInterrupt:
                say("interrupted")
            else:
                say("ended")
        countdown = -1
        say("whole:", [r.outcome for r in process_stream_sync(["a"], Quick())])
        """
    )
    for _ in range(24):
        program.wait_for("")
    assert program.wait_for("whole:") == "whole: ['succeeded']"
    assert program.end()[0] == 0
