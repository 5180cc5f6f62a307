"""One event loop in a thread of its own, for methods that block."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

from ...engine.loop_elsewhere import wait_on

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_lock = threading.Lock()
_loop: asyncio.AbstractEventLoop | None = None


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Do `work` on the loop, from any thread, inside of a running event loop too.

    All such work has one loop, so that a client may be called from several threads at once. Its
    thread ends with the process. What interrupts the caller (Ctrl-C) cancels the work.
    """
    return wait_on(_started(), work)


def _started() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - there is one for the process
    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="batch-providers", daemon=True).start()
        return _loop
