"""Watching a run: events, and who hears of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator


class ProcessingEvent(str, Enum):
    """What happened. The keys of its data stand beside each."""

    ITEM_STARTED = "item_started"  # item_id, worker_id
    ITEM_COMPLETED = "item_completed"  # item_id, worker_id, duration, tokens
    ITEM_FAILED = "item_failed"  # item_id, worker_id, duration, tokens, error_type
    RATE_LIMIT_HIT = "rate_limit_hit"  # item_id, worker_id, consecutive, duration (or None)
    COOLDOWN_STARTED = "cooldown_started"  # worker_id, duration, consecutive
    COOLDOWN_ENDED = "cooldown_ended"  # duration
    WORKER_STARTED = "worker_started"  # worker_id
    WORKER_STOPPED = "worker_stopped"  # worker_id
    BATCH_STARTED = "batch_started"  # total
    BATCH_COMPLETED = "batch_completed"  # total, succeeded, failed, duration


class _Heard:
    """An awaitable that is done: what a plain `on_event` returns, so that it can be awaited too."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield  # an awaitable is a generator, even one that never waits


HEARD = _Heard()


class ProcessorObserver(ABC):
    """Hears of every event of a run.

    `on_event` may be `async def`, or a plain method: a plain one is called as it is, which costs
    nothing. Errors raised in it are logged and change nothing.
    """

    @abstractmethod
    def on_event(self, event: ProcessingEvent, data: dict[str, Any]) -> Awaitable[None] | None:
        """Hear of one event; the keys of `data` stand beside each `ProcessingEvent`."""


class BaseObserver(ProcessorObserver):
    """An observer that ignores everything; override `on_event` for what you want to hear."""

    def on_event(self, event: ProcessingEvent, data: dict[str, Any]) -> Awaitable[None]:
        """Ignore the event."""
        return HEARD
