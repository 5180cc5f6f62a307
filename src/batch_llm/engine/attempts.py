"""An item's attempts, from the first to the one that succeeds or is the last."""

from __future__ import annotations

import asyncio
import logging
import math
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..base import empty_usage
from ..base.repair import repair_bytes
from ..base.retry_state import LAST_CATEGORY, LAST_ERROR
from ..base.strategy import RoutingStrategy, resolve
from ..exceptions import (
    BudgetExceededError,
    ConfigurationError,
    LedgerError,
    OutputTruncatedError,
)
from ..observers.base import ProcessingEvent
from ..pricing import cost_usd
from ..pricing.billing import billing_of
from ..strategies import ErrorInfo, backoff_seconds
from ..strategies.errors import failing_fast
from . import attempt
from .faults import logged_faults
from .hedging import Hedging, first_answer
from .payments import Hold, Payments
from .usage_reading import failed_usage, usage_of
from .warmups import Warmups

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from ..base import LLMCallStrategy, ProcessingStats, TokenBound, TokenUsage
    from ..core import ProcessorConfig
    from ..strategies import ErrorClassifier
    from .deadlines import Deadlines
    from .events import Events
    from .gate import Gate
    from .leases import Lease, Leases
    from .life import ItemLife
    from .waits import Waits

logger = logging.getLogger("batch_llm")

_UNKNOWN = ErrorInfo(
    is_retryable=True, is_rate_limit=False, is_timeout=False, error_category="unknown"
)
# How often an item that waits for a paused key looks whether another has become free.
_LOOK_SECONDS = 0.5
_BREAKS = frozenset({"connection_error", "server_error", "server_timeout", "api_timeout"})


class Attempts:
    """Calls for one item after the other until an attempt succeeds, or none may follow.

    Each attempt: route (which strategy) → prepare → warm up → hold its worst-case cost → gate →
    call → count its tokens and cost. After a failure: on_error, classify, wait.
    """

    def __init__(
        self,
        *,
        config: ProcessorConfig,
        gate: Gate,
        deadlines: Deadlines,
        leases: Leases,
        events: Events,
        stats: ProcessingStats,
        classifier: ErrorClassifier,
        payments: Payments | None,
        waits: Waits,
    ) -> None:
        self._retry = config.retry
        self._dry_run = config.dry_run
        self._detailed = config.enable_detailed_logging
        self._fail_fast = frozenset(config.fail_fast)
        self._gate = gate
        self._deadlines = deadlines
        self._now = deadlines.now
        self._leases = leases
        self._events = events
        self._stats = stats
        self._classifier = classifier
        self._payments = payments
        self._waits = waits
        self._warmups = Warmups()
        self._hedging = None if config.hedge is None else Hedging(config.hedge)
        # What no later call of a strategy can mend, in this run.
        self._refused: dict[Lease, Exception] = {}

    async def until_success(self, life: ItemLife[Any, Any, Any], task: asyncio.Task[Any]) -> Any:
        """Return the item's output.

        Raises:
            Exception: what the last attempt failed with.
            CancelledError: if the run is stopped between two attempts.
        """
        while True:
            try:
                return await self._once(life, task)
            except Exception as error:  # a strategy may raise anything; the classifier judges it
                wait_seconds = await self._after_failure(life, error)
                if wait_seconds is None:
                    raise
            if self._waits.stopping:
                raise asyncio.CancelledError
            if wait_seconds:
                await self._waits.out(asyncio.sleep(wait_seconds), task)

    async def _once(self, life: ItemLife[Any, Any, Any], task: asyncio.Task[Any]) -> Any:
        while True:
            if life.home.routes:
                life.move_to(self._leases.of(self._routed(life)))
            try:
                return await self._on_its_way(life, life.lease, task)
            except _OtherWayError:
                continue

    async def _on_its_way(
        self, life: ItemLife[Any, Any, Any], lease: Lease, task: asyncio.Task[Any]
    ) -> Any:
        if self._refused and (refusal := self._refused.get(lease)) is not None:
            raise refusal
        if not lease.ready:
            await self._prepare(life, task)
        if not lease.warms:
            return await self._admitted(life, lease, task)
        while (turn := self._warmups.turn(lease)) is not None:
            await self._waits.out(turn, task)
        succeeded = False
        try:
            output = await self._admitted(life, lease, task)
            succeeded = True
        finally:
            self._warmups.ended(lease, succeeded=succeeded)
        return output

    async def _admitted(
        self, life: ItemLife[Any, Any, Any], lease: Lease, task: asyncio.Task[Any]
    ) -> Any:
        gate = self._gate
        hold = await self._admit(life, lease, task) if self._is_held(lease) else None
        if hold is None and (turn := gate.admit(lease.scope)) is not None:
            await self._wait_in_line(turn, life, lease, task)
        self._begin_call(life, task)
        try:
            if self._hedging is None:
                output = await self._call(life, lease, hold)
            else:
                output = await self._hedged(self._hedging, life, lease, hold)
            attempt.stop_clock(task, self._deadlines)
        except BaseException as error:  # told apart there, and raised again
            raise attempt.failed(error, life, task, self._deadlines)  # noqa: B904 - has its cause
        finally:
            gate.leave(lease.scope, self._now() - life.called)
        gate.succeeded(lease.scope, life.epoch)
        if life.home.routes and life.state.get("finish_reason") == "length":
            self._escalate_cut_answer(life)
        return output

    def _escalate_cut_answer(self, life: ItemLife[Any, Any, Any]) -> None:
        """Have a text that stopped at the token limit asked of the next model, if there is one.

        Raises:
            OutputTruncatedError: if there is.
        """
        routing = life.home.strategy
        life.state.set(LAST_CATEGORY, "client_error")
        life.state.set(LAST_ERROR, OutputTruncatedError.__name__)
        if (
            life.attempt < self._retry.max_attempts
            and isinstance(routing, RoutingStrategy)
            and routing.tries_on(life.state)
        ):
            raise OutputTruncatedError("The answer stopped at the token limit.")

    async def _call(self, life: ItemLife[Any, Any, Any], lease: Lease, hold: Hold | None) -> Any:
        """Return the output of one call, billed, whatever becomes of it afterwards."""
        try:
            answer = await lease.strategy.execute(
                life.item.prompt,  # type: ignore[arg-type]  # checked by LLMWorkItem
                life.attempt,
                self._deadlines.limit_seconds,
                life.state,
            )
            output, usage = attempt.checked(answer, "execute", life)
        except BaseException as error:
            self._bill_failure(life, lease, hold, error)
            raise
        self._bill(life, lease, hold, usage_of(usage, life.item.item_id))
        return output

    # -- before the call

    def _routed(self, life: ItemLife[Any, Any, Any]) -> LLMCallStrategy[Any]:
        return resolve(life.home.strategy, life.attempt, life.state, self._headroom)

    def _headroom(self, strategy: LLMCallStrategy[Any]) -> float:
        lease = self._leases.of(strategy)
        if lease in self._refused or lease.broken is not None:
            return -2.0
        return self._gate.headroom(lease.scope)

    async def _prepare(self, life: ItemLife[Any, Any, Any], task: asyncio.Task[Any]) -> None:
        """Make the strategy ready, out of any pause: it may call the provider too."""
        lease, gate = life.lease, self._gate
        if (pause := gate.pause(lease.scope)) is not None:
            await self._waits.out(pause, task)
        if not lease.ready:
            life.epoch = gate.epoch
            await self._waits.out(lease.prepare(self._deadlines.limit_seconds), task)

    def _is_held(self, lease: Lease) -> bool:
        """Return whether a call's worst case is to be known before it is made."""
        return self._payments is not None or self._gate.wants_tokens(lease.scope)

    async def _admit(
        self, life: ItemLife[Any, Any, Any], lease: Lease, task: asyncio.Task[Any]
    ) -> Hold:
        """Hold the cost and the tokens of a call at their worst, and wait for its turn."""
        hold = Hold(_bound_of(life, lease, is_needed=self._payments is not None))
        if self._payments is not None:
            opened = self._payments.open(life.item.item_id, lease.priced, hold.bound)
            hold.payment = await self._waits.out(opened, task)
            life.is_settled = True
        try:
            if (turn := self._gate.admit(lease.scope, hold.bound)) is not None:
                await self._wait_in_line(turn, life, lease, task)
        except BaseException:
            self._pay(hold, 0.0)
            raise
        # Of a call that began before a limit was known, the gate holds no tokens.
        hold.is_counted = self._gate.wants_tokens(lease.scope)
        return hold

    async def _wait_in_line(
        self,
        turn: Awaitable[None],
        life: ItemLife[Any, Any, Any],
        lease: Lease,
        task: asyncio.Task[Any],
    ) -> None:
        """Wait for a turn; leave the line where the item may go elsewhere, and sooner.

        Raises:
            _OtherWayError: if another member of a pool has become free, and this one has not.
        """
        if not life.home.routes:
            await self._waits.out(turn, task)
            return
        waiting = asyncio.ensure_future(turn)
        try:
            while not waiting.done() and not self._is_freer_elsewhere(life, lease):
                await self._waits.out(asyncio.wait([waiting], timeout=_LOOK_SECONDS), task)
        except BaseException:
            if await _was_admitted(waiting):
                self._gate.leave(lease.scope, 0.0)
            raise
        was_admitted = await _was_admitted(waiting)
        if task.cancelling():
            # Cancelled in the very moment in which it left the line.
            if was_admitted:
                self._gate.leave(lease.scope, 0.0)
            raise asyncio.CancelledError
        if not was_admitted:
            raise _OtherWayError

    def _is_freer_elsewhere(self, life: ItemLife[Any, Any, Any], lease: Lease) -> bool:
        if self._headroom(lease.strategy) > 0:
            return False
        other = self._routed(life)
        return other is not lease.strategy and self._headroom(other) > 0

    def _begin_call(self, life: ItemLife[Any, Any, Any], task: asyncio.Task[Any]) -> None:
        life.epoch = self._gate.epoch
        life.calls += 1
        if life.calls > 1:
            self._stats.retries += 1
        if self._detailed:
            logger.debug("%s: attempt %d", life.item.item_id, life.attempt)
        life.called = self._now()
        self._deadlines.begin(task, life.called)

    # -- two calls in place of one

    async def _hedged(
        self, hedging: Hedging, life: ItemLife[Any, Any, Any], lease: Lease, hold: Hold | None
    ) -> Any:
        is_doubled = False

        async def first() -> Any:
            try:
                return await self._call(life, lease, hold)
            except Exception as error:
                if is_doubled:
                    self._hear(life, lease, error)
                raise

        async def second() -> Any:
            task = asyncio.current_task()
            assert task is not None, "a second call is a task"
            its_hold = await self._admit(life, lease, task) if self._is_held(lease) else None
            if its_hold is None and (turn := self._gate.admit(lease.scope)) is not None:
                await self._waits.out(turn, task)
            life.calls += 1
            began = self._now()
            try:
                return await self._call(life, lease, its_hold)
            except Exception as error:
                self._hear(life, lease, error)
                raise
            finally:
                self._gate.leave(lease.scope, self._now() - began)

        def may_have_second() -> bool:
            nonlocal is_doubled
            is_doubled = (
                not self._waits.stopping
                and self._gate.headroom(lease.scope) > 0
                and hedging.take_second()
            )
            return is_doubled

        late = hedging.late_seconds
        if late is None:
            output = await first()
        else:
            output = await first_answer(first, late, may_have_second, second)
        hedging.took(self._now() - life.called)
        return output

    def _hear(self, life: ItemLife[Any, Any, Any], lease: Lease, error: Exception) -> None:
        """Learn at once from the failure of one of two calls: the other one may count."""
        life.heard_of = error
        info = self.classify(error)
        if info.is_rate_limit:
            self._stats.rate_limit_count += 1
            self._gate.rate_limited(lease.scope, info.suggested_wait, life.epoch, life.worker_id)
        elif info.error_category in _BREAKS:
            self._gate.broke(lease.scope)
        elif failing_fast(error) in self._fail_fast:
            self._refused.setdefault(lease, error)

    # -- after the call

    def _bill(
        self, life: ItemLife[Any, Any, Any], lease: Lease, hold: Hold | None, usage: TokenUsage
    ) -> None:
        """Count what a call used, and settle what was held for it."""
        life.count(usage)
        cost = None if lease.priced is None else cost_usd(lease.priced, usage)
        life.add_cost(cost)
        if hold is not None:
            self._settle(lease, hold, usage, cost)

    def _bill_failure(
        self,
        life: ItemLife[Any, Any, Any],
        lease: Lease,
        hold: Hold | None,
        failure: BaseException,
    ) -> None:
        usage = failed_usage(failure)
        # A call that was cut off may have been billed for more than it had said by then.
        billing = (
            "unknown" if isinstance(failure, asyncio.CancelledError) else billing_of(failure, usage)
        )
        if usage is not None and billing == "billed":
            self._bill(life, lease, hold, usage)
            return
        if usage is not None:
            life.count(usage)
            life.add_cost(None if lease.priced is None else cost_usd(lease.priced, usage))
        if billing == "unknown":
            life.unanswered += 1
        if hold is not None:
            is_free = billing == "free"
            self._settle(lease, hold, empty_usage() if is_free else None, 0.0 if is_free else None)

    def _settle(
        self, lease: Lease, hold: Hold, usage: TokenUsage | None, cost: float | None
    ) -> None:
        """Put what a call used and cost in the place of what was held; None keeps that."""
        if hold.is_counted:
            self._gate.settle(lease.scope, hold.bound, usage)
        self._pay(hold, cost)

    def _pay(self, hold: Hold, cost: float | None) -> None:
        if hold.payment is not None and self._payments is not None:
            self._payments.settle(hold.payment, cost)

    async def _after_failure(self, life: ItemLife[Any, Any, Any], error: Exception) -> float | None:
        """Return the seconds to wait before the next attempt, or None if none may follow.

        A rate limit is waited out at the gate, with all others of its scope.
        """
        life.last_error = error
        if isinstance(error, (BudgetExceededError, LedgerError)):
            # No call was made, and none will be: there is nothing to judge.
            life.category = (
                "budget_exceeded" if isinstance(error, BudgetExceededError) else "unknown"
            )
            return None
        if life.lease.listens:
            await self._tell_strategy(life, error)
        info = self.classify(error)
        life.category = info.error_category
        if life.home.routes:
            life.state.set(LAST_CATEGORY, info.error_category)
            life.state.set(LAST_ERROR, type(error).__name__)
        if self._detailed:
            logger.debug(
                "%s: attempt %d failed as %s (%s)",
                life.item.item_id,
                life.attempt,
                info.error_category,
                type(error).__name__,
            )
        if info.is_rate_limit:
            return await self._limited(life, info, is_news=error is not life.heard_of)
        if info.error_category in _BREAKS:
            self._gate.broke(life.lease.scope)
        return self._next_wait(life, error, info)

    async def _tell_strategy(self, life: ItemLife[Any, Any, Any], error: Exception) -> None:
        strategy = life.lease.strategy
        with logged_faults(
            "on_error of %s failed for %s.", type(strategy).__name__, life.item.item_id
        ):
            await strategy.on_error(error, life.attempt, life.state)

    def classify(self, error: Exception) -> ErrorInfo:
        """Return what a failure means; one that the classifier cannot judge is unknown."""
        with logged_faults(
            "%s failed on a %s; taken as unknown.",
            type(self._classifier).__name__,
            type(error).__name__,
        ):
            info = self._classifier.classify(error)
            if isinstance(info, ErrorInfo):
                return _with_sensible_wait(info)
            raise TypeError(f"classify() must return an ErrorInfo, not a {type(info).__name__}.")
        return _UNKNOWN

    async def _limited(
        self, life: ItemLife[Any, Any, Any], info: ErrorInfo, *, is_news: bool
    ) -> float | None:
        """Tell the gate of a rate limit; it does not count as an attempt."""
        life.refusals += 1
        if is_news:
            self._stats.rate_limit_count += 1
            self._gate.rate_limited(
                life.lease.scope, info.suggested_wait, life.epoch, life.worker_id
            )
        hit = self._events.emit(
            ProcessingEvent.RATE_LIMIT_HIT,
            {
                "item_id": life.item.item_id,
                "worker_id": life.worker_id,
                "consecutive": self._gate.consecutive,
                "duration": info.suggested_wait,
            },
        )
        if hit is not None:
            await hit
        if life.refusals > self._retry.max_rate_limit_retries:
            return None
        # "Come back at once" says no time: without a wait, all refusals would be spent at once.
        return 0.0 if info.suggested_wait != 0 else self._backoff(life.refusals)

    def _next_wait(
        self, life: ItemLife[Any, Any, Any], error: Exception, info: ErrorInfo
    ) -> float | None:
        if not info.is_retryable:
            return self._last_resort(life, error)
        if life.attempt >= self._retry.max_attempts:
            return None
        failed_attempt = life.attempt
        life.attempt += 1
        if info.error_category == "validation_error":
            return info.suggested_wait or 0.0
        return max(self._backoff(failed_attempt), info.suggested_wait or 0.0)

    def _last_resort(self, life: ItemLife[Any, Any, Any], error: Exception) -> float | None:
        """Return 0 where another strategy may do what this one never will, else None."""
        lease = life.lease
        if not lease.ready and not self._dry_run:
            lease.give_up(error)
        elif failing_fast(error) in self._fail_fast:
            self._refused.setdefault(lease, error)
        if life.home.routes and (lease in self._refused or lease.broken is not None):
            other = self._leases.of(self._routed(life))
            return 0.0 if other not in self._refused and other.broken is None else None
        routing = life.home.strategy
        if (
            isinstance(routing, RoutingStrategy)
            and life.attempt < self._retry.max_attempts
            and routing.tries_on(life.state)
        ):
            life.attempt += 1
            return 0.0
        return None

    def _backoff(self, failures: int) -> float:
        return backoff_seconds(
            failures,
            initial=self._retry.initial_wait,
            base=self._retry.exponential_base,
            longest=self._retry.max_wait,
            jitter=self._retry.jitter,
        )


class _OtherWayError(Exception):
    """An attempt that has not begun is to be made with another member of a pool."""


async def _was_admitted(waiting: asyncio.Future[None]) -> bool:
    """Leave a line, and return whether the turn had come by then; raise what it failed with."""
    while not waiting.done():
        waiting.cancel()
        with suppress(asyncio.CancelledError):  # the caller's own: it looks for it afterwards
            await asyncio.wait([waiting])
    if waiting.cancelled():
        return False
    waiting.result()
    return True


def _bound_of(life: ItemLife[Any, Any, Any], lease: Lease, *, is_needed: bool) -> TokenBound | None:
    """Return the most tokens of the next call, an answer to be repaired included.

    None where nothing bounds them: for limits of tokens a guess will do, for one of money not.
    """
    try:
        bound = lease.strategy.token_bound(life.item.prompt)
    except ConfigurationError:
        if is_needed:
            raise
        return None
    if bound is not None and (more := repair_bytes(life.state)):
        return replace(bound, input_tokens=bound.input_tokens + more)
    return bound


def _with_sensible_wait(info: ErrorInfo) -> ErrorInfo:
    """Take a suggested wait that is no time at all, such as nan, as none."""
    wait = info.suggested_wait
    if wait is None or (isinstance(wait, (int, float)) and 0 <= wait < math.inf):
        return info
    return replace(info, suggested_wait=None)
