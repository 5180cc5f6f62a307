"""Telling the observers."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from ..observers.base import HEARD
from .faults import is_fault, logged_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..observers.base import ProcessingEvent, ProcessorObserver


class Events:
    """Tells every observer of every event.

    Plain `on_event` methods are called on the spot. What an `async def` returns is handed back as
    one awaitable, so that a run whose observers are plain never waits.
    """

    __slots__ = ("_observers",)

    def __init__(self, observers: Sequence[ProcessorObserver]) -> None:
        self._observers = tuple(observers)

    def emit(self, event: ProcessingEvent, data: dict[str, Any]) -> Awaitable[None] | None:
        """Tell all; await what comes back, unless it is None."""
        waiting: list[Awaitable[None]] | None = None
        for observer in self._observers:
            try:
                heard = observer.on_event(event, data)
            except BaseException as error:  # as in logged_faults, whose `with` costs too much here
                if not is_fault(error):
                    raise
                _faults_of(observer, event).log(error)
                continue
            if heard is None or heard is HEARD or not isinstance(heard, Awaitable):
                continue
            if waiting is None:
                waiting = []
            waiting.append(_guarded(heard, observer, event))
        return None if waiting is None else _in_order(waiting)


async def _in_order(waiting: list[Awaitable[None]]) -> None:
    for awaitable in waiting:
        await awaitable


async def _guarded(
    heard: Awaitable[None], observer: ProcessorObserver, event: ProcessingEvent
) -> None:
    with _faults_of(observer, event):
        await heard


def _faults_of(observer: ProcessorObserver, event: ProcessingEvent) -> logged_faults:
    return logged_faults(
        "Observer %s failed on %s; the run goes on.", type(observer).__name__, event.value
    )
