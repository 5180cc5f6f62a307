"""Strategies in use: prepared once, closed once."""

from __future__ import annotations

import asyncio
import weakref
from typing import TYPE_CHECKING, Any, TypeVar

from ..base import LLMCallStrategy, PricedModel, RoutingStrategy
from ..strategies import FrameworkTimeoutError
from .attempt import CallCancelledError
from .faults import is_fault, logged_faults

if TYPE_CHECKING:
    from types import TracebackType


T = TypeVar("T")


class Lease:
    """One strategy on one event loop, held by the processors that use it.

    Attributes:
        strategy: the strategy.
        ready: whether `prepare()` has succeeded.
        broken: why it never will, where that is known; raised to all who still ask.
        cleans: whether it has a `cleanup()` of its own, so that calling it has an effect.
        listens: whether it has an `on_error()` of its own.
        scope: its `quota_scope`.
        priced: its `priced_as`.
        repeats: whether it has an `is_repeatable()` of its own.
        routes: whether it leaves attempts to other strategies.
        warms: whether the first call is to go alone.
    """

    __slots__ = (
        "_broken_at",
        "_closing",
        "_preparing",
        "broken",
        "cleans",
        "closes",
        "listens",
        "loop",
        "priced",
        "ready",
        "repeats",
        "routes",
        "scope",
        "strategy",
        "users",
        "warms",
    )

    def __init__(self, strategy: LLMCallStrategy[Any]) -> None:
        self.strategy = strategy
        self.loop = asyncio.get_running_loop()
        self.users = 0
        self.ready = False
        self.broken: Exception | None = None
        self.cleans = _overrides(strategy, "cleanup")
        self.listens = _overrides(strategy, "on_error")
        self.closes = _overrides(strategy, "aclose")
        self.scope = _scope_of(strategy)
        self.priced = _stated(strategy, "priced_as", PricedModel)
        self.repeats = _overrides(strategy, "is_repeatable")
        self.routes = isinstance(strategy, RoutingStrategy)
        self.warms = _stated(strategy, "warms_cache", bool) or False
        self._preparing: asyncio.Task[None] | None = None
        self._closing: asyncio.Future[None] | None = None
        self._broken_at: TracebackType | None = None

    async def prepare(self, timeout_seconds: float) -> None:
        """Make the strategy ready, however many callers ask at once.

        One call of `strategy.prepare()` serves all who wait for it, in a task of its own: a
        caller that is cancelled takes nothing from the others. A failure reaches all who waited;
        whoever comes later starts a new one.

        Raises:
            FrameworkTimeoutError: where it takes longer than `timeout_seconds`.
            Exception: whatever `strategy.prepare()` raised.
        """
        if self._closing is not None:
            await asyncio.shield(self._closing)
        if self.broken is not None:
            # With its first traceback: it would grow by each item that meets it.
            raise self.broken.with_traceback(self._broken_at)
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._prepare(timeout_seconds))
            self._preparing.add_done_callback(_retrieve)
        await asyncio.shield(self._preparing)

    async def _prepare(self, timeout_seconds: float) -> None:
        limit = asyncio.timeout(timeout_seconds)
        try:
            async with limit:
                await self.strategy.prepare()
            self.ready = True
        except asyncio.CancelledError as error:
            if not is_fault(error):
                raise
            raise CallCancelledError(
                f"{type(self.strategy).__name__}.prepare() cancelled itself."
            ) from error
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise FrameworkTimeoutError(
                f"{type(self.strategy).__name__}.prepare() took longer than {timeout_seconds:g} s.",
                elapsed=timeout_seconds,
                timeout_limit=timeout_seconds,
            ) from error
        finally:
            # What came of it may have changed what the strategy draws on.
            self.scope = _scope_of(self.strategy)
            self._preparing = None

    def give_up(self, error: Exception) -> None:
        """Remember that the strategy cannot be made ready."""
        if self.broken is None:
            self.broken = error
            self._broken_at = error.__traceback__

    async def close(self) -> None:
        """Close the strategy; who prepares it meanwhile waits until that is done."""
        self.ready = False
        self._closing = self.loop.create_future()
        try:
            with logged_faults("%s failed to close.", type(self.strategy).__name__):
                await self.strategy.aclose()
        finally:
            self._closing.set_result(None)
            self._closing = None

    @property
    def is_closing(self) -> bool:
        """Whether `close` is under way."""
        return self._closing is not None

    async def stop_preparing(self) -> None:
        """Cancel a `prepare()` that no one will wait for."""
        if self._preparing is not None:
            self._preparing.cancel()
            await asyncio.wait([self._preparing])


class Leases:
    """The strategies that one processor uses."""

    __slots__ = ("__weakref__", "_held")

    def __init__(self) -> None:
        self._held: dict[int, Lease] = {}
        weakref.finalize(self, _shared.drop, self._held)

    def of(self, strategy: LLMCallStrategy[Any]) -> Lease:
        """Return the lease of `strategy`, taking it at first use."""
        lease = self._held.get(id(strategy))
        if lease is None:
            lease = _shared.take(strategy)
            self._held[id(strategy)] = lease
        return lease

    def forgive(self) -> None:
        """Let strategies that could not be prepared try again: a new run has begun."""
        for lease in self._held.values():
            lease.broken = None

    async def aclose(self) -> None:
        """Give all back; close each strategy that no other processor holds."""
        while self._held:
            _, lease = self._held.popitem()
            await _shared.give_back(lease)


class _SharedLeases:
    """All leases of the program.

    Processors that share a strategy share its lease: it is prepared once, and closed when the last
    of them closes. A strategy without an `aclose()` stays prepared for as long as it lives, so that
    a service with a processor a request prepares it once. Identity is the key, since a strategy
    need not be hashable.
    """

    def __init__(self) -> None:
        self._leases: dict[int, Lease] = {}
        self._kept: dict[int, tuple[weakref.ref[Any], asyncio.AbstractEventLoop]] = {}

    def take(self, strategy: LLMCallStrategy[Any]) -> Lease:
        key = id(strategy)
        lease = self._leases.get(key)
        if lease is None or lease.loop is not asyncio.get_running_loop():
            lease = Lease(strategy)
            lease.ready = self._is_kept_ready(strategy)
            self._leases[key] = lease
        lease.users += 1
        return lease

    async def give_back(self, lease: Lease) -> None:
        lease.users -= 1
        if lease.users:
            return
        await lease.stop_preparing()
        if lease.users or lease.is_closing:
            # Someone took it meanwhile; or the close under way serves this one too.
            return
        if lease.closes:
            await lease.close()
        else:
            self._keep_ready(lease)
        self._forget_unused(lease)

    def drop(self, leases: dict[int, Lease]) -> None:
        """Take back the leases of a processor that was never closed."""
        for lease in leases.values():
            lease.users -= 1
            self._forget_unused(lease)

    def _forget_unused(self, lease: Lease) -> None:
        key = id(lease.strategy)
        if not lease.users and self._leases.get(key) is lease:
            del self._leases[key]

    def _is_kept_ready(self, strategy: LLMCallStrategy[Any]) -> bool:
        kept = self._kept.get(id(strategy))
        return kept is not None and kept[0]() is strategy and kept[1] is asyncio.get_running_loop()

    def _keep_ready(self, lease: Lease) -> None:
        key = id(lease.strategy)
        if not lease.ready:
            return
        try:
            reference = weakref.ref(lease.strategy, lambda _: self._kept.pop(key, None))
        except TypeError:  # slots without __weakref__: prepared again by the next processor
            return
        self._kept[key] = (reference, lease.loop)


_shared = _SharedLeases()


def _overrides(strategy: LLMCallStrategy[Any], name: str) -> bool:
    """Return whether `name` is the strategy's own, on its class or on the instance."""
    method = getattr(strategy, name, None)
    base = getattr(LLMCallStrategy, name)
    return method is not None and getattr(method, "__func__", None) is not base


def _scope_of(strategy: LLMCallStrategy[Any]) -> str | None:
    with logged_faults("%s.quota_scope failed; none is taken.", type(strategy).__name__):
        return strategy.quota_scope
    return None


def _stated(strategy: LLMCallStrategy[Any], name: str, kind: type[T]) -> T | None:
    """Return what a strategy says of itself; None where that is not of its kind, or fails."""
    with logged_faults("%s.%s failed; none is taken.", type(strategy).__name__, name):
        value = getattr(strategy, name, None)
        return value if isinstance(value, kind) else None
    return None


def _retrieve(task: asyncio.Task[None]) -> None:
    # All who waited may be gone; an exception nobody fetched would be logged as lost.
    if not task.cancelled():
        task.exception()
