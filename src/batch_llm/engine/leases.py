"""Strategies in use: prepared once, closed once."""

from __future__ import annotations

import asyncio
import threading
import weakref
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, TypeVar

from ..base import LLMCallStrategy, PricedModel, RoutingStrategy
from ..strategies import FrameworkTimeoutError
from .attempt import CallCancelledError
from .faults import is_fault, logged_faults

if TYPE_CHECKING:
    from types import TracebackType


T = TypeVar("T")


class Sharing:
    """Who uses one strategy, on all event loops.

    Attributes:
        leases: one for each loop, those included whose last user is gone while others remain.
        closing: done once the strategy is closed; None where no one closes it. It serves all
            loops, and so all threads.
    """

    __slots__ = ("closing", "leases")

    def __init__(self) -> None:
        self.leases: dict[asyncio.AbstractEventLoop, Lease] = {}
        self.closing: Future[None] | None = None

    @property
    def is_used(self) -> bool:
        """Whether anything may still be asked of the strategy on a loop that lives."""
        return any(
            lease.is_busy or (lease.users and not lease.loop.is_closed())
            for lease in list(self.leases.values())
        )

    @property
    def is_known(self) -> bool:
        """Whether anyone holds a lease; it may be of a loop that is gone."""
        return self.closing is not None or any(
            lease.users or lease.is_busy for lease in list(self.leases.values())
        )

    def forget_dead(self) -> None:
        """Forget the leases of closed loops that no one holds."""
        for loop, lease in list(self.leases.items()):
            if loop.is_closed() and not lease.users:
                del self.leases[loop]

    def begin_close(self) -> None:
        """Let all who come meanwhile wait for the close, and prepare the strategy again."""
        self.closing = Future()
        for loop, lease in list(self.leases.items()):
            lease.ready = False
            if loop.is_closed():
                # Closed along: its holder has nothing left to give back.
                del self.leases[loop]


class Lease:
    """One strategy on one event loop, held by the processors that use it there.

    Attributes:
        strategy: the strategy.
        sharing: who uses it, on this and on other loops.
        loop: the event loop.
        users: how many processors hold it.
        ready: whether `prepare()` has succeeded.
        broken: why it never will, where that is known; raised to all who still ask.
        cleans: whether it has a `cleanup()` of its own, so that calling it has an effect.
        listens: whether it has an `on_error()` of its own.
        closes: whether it has an `aclose()` of its own.
        leaves: whether it has a `leave_loop()` of its own.
        scope: its `quota_scope`.
        priced: its `priced_as`.
        repeats: whether it has an `is_repeatable()` of its own.
        routes: whether it leaves attempts to other strategies.
        warms: whether the first call is to go alone.
    """

    __slots__ = (
        "_broken_at",
        "_leaving",
        "_preparing",
        "broken",
        "cleans",
        "closes",
        "leaves",
        "listens",
        "loop",
        "priced",
        "ready",
        "repeats",
        "routes",
        "scope",
        "sharing",
        "strategy",
        "users",
        "warms",
    )

    def __init__(self, strategy: LLMCallStrategy[Any]) -> None:
        self.strategy = strategy
        self.sharing = Sharing()
        self.loop = asyncio.get_running_loop()
        self.users = 0
        self.ready = False
        self.broken: Exception | None = None
        self.cleans = _overrides(strategy, "cleanup")
        self.listens = _overrides(strategy, "on_error")
        self.closes = _overrides(strategy, "aclose")
        self.leaves = _overrides(strategy, "leave_loop")
        self.scope = _scope_of(strategy)
        self.priced = _stated(strategy, "priced_as", PricedModel)
        self.repeats = _overrides(strategy, "is_repeatable")
        self.routes = isinstance(strategy, RoutingStrategy)
        self.warms = _stated(strategy, "warms_cache", bool) or False
        self._preparing: asyncio.Task[None] | None = None
        self._leaving: asyncio.Future[None] | None = None
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
        await self._end_of_release()
        if self.broken is not None:
            # With its first traceback: it would grow by each item that meets it.
            raise self.broken.with_traceback(self._broken_at)
        if self._preparing is None:
            self._preparing = asyncio.create_task(self._prepare(timeout_seconds))
            self._preparing.add_done_callback(self._has_prepared)
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

    def _has_prepared(self, task: asyncio.Task[None]) -> None:
        # All who waited may be gone; an exception nobody fetched would be logged as lost.
        if not task.cancelled():
            task.exception()
        _shared.forget_unused(self)

    def give_up(self, error: Exception) -> None:
        """Remember that the strategy cannot be made ready."""
        if self.broken is None:
            self.broken = error
            self._broken_at = error.__traceback__

    def begin_leave(self) -> None:
        """Let who comes here meanwhile wait for `leave`, and no other loop close the strategy."""
        self.ready = False
        self._leaving = self.loop.create_future()

    async def leave(self) -> None:
        """Release what belongs to this loop, `begin_leave` having been called."""
        leaving = self._leaving
        try:
            with logged_faults("%s failed to leave its loop.", type(self.strategy).__name__):
                await self.strategy.leave_loop()
        finally:
            self._leaving = None
            if leaving is not None:
                leaving.set_result(None)

    async def close(self) -> None:
        """Close the strategy, `Sharing.begin_close` having been called."""
        closing = self.sharing.closing
        try:
            with logged_faults("%s failed to close.", type(self.strategy).__name__):
                await self.strategy.aclose()
        finally:
            self.sharing.closing = None
            if closing is not None:
                closing.set_result(None)

    @property
    def is_busy(self) -> bool:
        """Whether a `prepare()` or a `leave_loop()` is under way."""
        is_busy = self._preparing is not None or self._leaving is not None
        return is_busy and not self.loop.is_closed()

    async def stop_preparing(self) -> None:
        """Cancel a `prepare()` that no one will wait for."""
        if self._preparing is not None and self.loop is asyncio.get_running_loop():
            self._preparing.cancel()
            await asyncio.wait([self._preparing])

    async def _end_of_release(self) -> None:
        if self._leaving is not None:
            await asyncio.shield(self._leaving)
        closing = self.sharing.closing
        if closing is not None:
            # Shielded, since whoever stops waiting would cancel it for all.
            await asyncio.shield(asyncio.wrap_future(closing))


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

    Processors that share a strategy on one event loop share its lease there: it is prepared once.
    It is closed when the last of them all closes, whatever its loop; until then, a loop that no
    processor uses it on any longer has it release what it holds there (`leave_loop`). A strategy
    without an `aclose()` stays prepared for as long as it lives, so that a service with a processor
    a request prepares it once. Identity is the key, since a strategy need not be hashable.
    """

    def __init__(self) -> None:
        # Of threads, since loops run in them. Reentrant: a processor may be collected, and its
        # leases taken back, within a locked step of the same thread.
        self._lock = threading.RLock()
        self._sharings: dict[int, Sharing] = {}
        self._kept: dict[int, tuple[weakref.ref[Any], set[asyncio.AbstractEventLoop]]] = {}

    def take(self, strategy: LLMCallStrategy[Any]) -> Lease:
        loop = asyncio.get_running_loop()
        with self._lock:
            sharing = self._sharings.get(id(strategy))
            found = None if sharing is None else sharing.leases.get(loop)
            if found is not None:
                found.users += 1
                return found
        # What a strategy says of itself is code of its own: not under the lock.
        lease = Lease(strategy)
        with self._lock:
            lease.sharing = self._sharings.setdefault(id(strategy), lease.sharing)
            lease.sharing.forget_dead()
            lease.sharing.leases[loop] = lease
            lease.ready = self._is_kept_ready(strategy, loop)
            lease.users += 1
        return lease

    async def give_back(self, lease: Lease) -> None:
        with self._lock:
            lease.users -= 1
        if lease.users:
            return
        await lease.stop_preparing()
        if self._begin_leave(lease):
            await lease.leave()
        if self._begin_close(lease):
            await lease.close()
        self.forget_unused(lease)

    def drop(self, leases: dict[int, Lease]) -> None:
        """Take back the leases of a processor that was never closed."""
        for lease in leases.values():
            with self._lock:
                lease.users -= 1
            self.forget_unused(lease)

    def _begin_leave(self, lease: Lease) -> bool:
        """Return whether its loop is to be left: it has no user there, and others elsewhere."""
        with self._lock:
            if not lease.leaves or lease.loop is not asyncio.get_running_loop():
                return False
            if not self._is_idle(lease) or not lease.sharing.is_used:
                return False
            lease.begin_leave()
            return True

    def _begin_close(self, lease: Lease) -> bool:
        """Return whether the strategy is to be closed by the caller: no one uses it any more."""
        with self._lock:
            if not self._is_idle(lease) or lease.sharing.is_used:
                return False
            if not lease.closes:
                self._keep_ready(lease)
                return False
            lease.sharing.begin_close()
            return True

    def _is_idle(self, lease: Lease) -> bool:
        """Return whether nothing became of it meanwhile: no one took it, left it or closed it."""
        sharing = lease.sharing
        is_held = sharing.leases.get(lease.loop) is lease
        return is_held and not lease.users and not lease.is_busy and sharing.closing is None

    def forget_unused(self, lease: Lease) -> None:
        """Let go of the strategy of `lease`, unless anyone holds it."""
        with self._lock:
            key, sharing = id(lease.strategy), lease.sharing
            if self._sharings.get(key) is sharing and not sharing.is_known:
                del self._sharings[key]
                # Leases and what they share name each other: so they go at once.
                sharing.leases.clear()

    def _is_kept_ready(
        self, strategy: LLMCallStrategy[Any], loop: asyncio.AbstractEventLoop
    ) -> bool:
        kept = self._kept.get(id(strategy))
        return kept is not None and kept[0]() is strategy and loop in kept[1]

    def _keep_ready(self, lease: Lease) -> None:
        key, strategy = id(lease.strategy), lease.strategy
        loops = {
            loop
            for loop, other in list(lease.sharing.leases.items())
            if other.ready and not loop.is_closed()
        }
        if not loops:
            return
        kept = self._kept.get(key)
        if kept is not None and kept[0]() is strategy:
            loops.update(loop for loop in list(kept[1]) if not loop.is_closed())
        try:
            reference = weakref.ref(strategy, lambda _: self._kept.pop(key, None))
        except TypeError:  # slots without __weakref__: prepared again by the next processor
            return
        self._kept[key] = (reference, loops)


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
