"""A batch run that is sent signals; `test_batch_signals.py` starts it.

Its arguments are an `Order` of `killed_batch.py` as JSON, and how the run is waited for: "main" on
the main thread, "asked" on it by a loop of the program's own, "loop" on it within a running event
loop, "arun" on that loop, or "thread" off the main thread. It says on standard output what happens.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from killed_batch import Order, batch_of, client_of

if TYPE_CHECKING:
    from batch_llm.batch import Batch

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def say(text: str) -> None:
    """Write a line at once."""
    print(text, flush=True)


def own_handler(number: int, _frame: Any) -> None:
    """Stand for what a program of a user's does with a signal."""
    say(f"own handler {number}")


def waited_on_main(batch: Batch) -> None:
    """Wait as most programs do; what they do with signals is in force again afterwards."""
    for number in SIGNALS:
        signal.signal(number, own_handler)
    run = batch.run(wait=True)
    say(f"ended: {run.status().stopped_because}")
    for number in SIGNALS:
        signal.raise_signal(number)


def asked_after(batch: Batch) -> None:
    """Look at it again and again; afterwards signals do again what they did before."""
    before = [signal.getsignal(number) for number in SIGNALS]
    run = batch.run()
    while not run.is_complete:
        run.status()
        time.sleep(0.05)
    say(f"ended: {run.status().stopped_because}")
    say(f"as before: {[signal.getsignal(number) for number in SIGNALS] == before}")


async def waited_in_loop(batch: Batch) -> None:
    """Wait where an event loop runs already, as in a notebook."""
    run = batch.run(wait=True)
    say(f"ended: {run.status().stopped_because}")


async def waited_for(batch: Batch) -> None:
    """Run on the caller's loop, which a signal cancels."""
    await batch.arun()


def waited_in_thread(batch: Batch) -> None:
    """Wait in another thread; the main one does with signals what it likes."""
    signalled = threading.Event()
    for number in SIGNALS:
        signal.signal(number, lambda *_: signalled.set())
    run = batch.run()
    thread = threading.Thread(target=run.wait)
    thread.start()
    while not signalled.wait(0.1):
        pass
    run.shutdown(wait_for_active=False)
    thread.join()
    say(f"ended: {run.status().stopped_because}")


def main(order: Order, way: str) -> None:
    """Run the order, and wait for it in this way."""
    batch = batch_of(order, client_of(order))
    if way == "main":
        waited_on_main(batch)
    elif way == "asked":
        asked_after(batch)
    elif way == "loop":
        asyncio.run(waited_in_loop(batch))
    elif way == "arun":
        asyncio.run(waited_for(batch))
    else:
        waited_in_thread(batch)


if __name__ == "__main__":
    main(Order(**json.loads(sys.argv[1])), sys.argv[2])
