"""Python's garbage collector, beside thousands of calls in flight."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY_WORKERS = 500
_OBJECTS_A_WORKER = 20

_runs = 0
_before: tuple[int, int, int] | None = None
_raised: tuple[int, int, int] | None = None


@contextmanager
def seldom_collected(workers: int) -> Iterator[None]:
    """Let the collector run less often while thousands of calls are in flight.

    Each call holds about ten objects that live for as long as it does. With the usual threshold of
    700 the collector walks over all of them again and again and finds nothing: at 10,000 workers
    that was 40 % of the CPU. From `MANY_WORKERS` on the first threshold is raised, so that a whole
    wave of calls fits below it. It is put back at the end of the last such run, unless someone else
    has changed it meanwhile; a collector that is turned off stays off.

    Args:
        workers: calls that may be in flight.
    """
    if workers < MANY_WORKERS or gc.get_threshold()[0] == 0:
        yield
        return
    _raise_to(workers * _OBJECTS_A_WORKER)
    try:
        yield
    finally:
        _put_back()


def _raise_to(wanted: int) -> None:
    global _runs, _before, _raised  # noqa: PLW0603 - the collector is the process's, and so is this
    first, second, third = gc.get_threshold()
    if _runs == 0:
        _before = (first, second, third)
    _runs += 1
    _raised = (max(first, wanted), second, third)
    gc.set_threshold(*_raised)


def _put_back() -> None:
    global _runs  # noqa: PLW0603 - as above
    _runs -= 1
    if _runs == 0 and _before is not None and gc.get_threshold() == _raised:
        gc.set_threshold(*_before)
