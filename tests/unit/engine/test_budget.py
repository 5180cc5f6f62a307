"""The limit in USD: it holds at every instant, and nobody waits for nothing."""

from __future__ import annotations

import asyncio
import logging
import math
import pickle
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from tests.virtual import run

from batch_llm.engine.budget import Budget
from batch_llm.exceptions import BudgetExceededError

EXACT = 1e-12


def _committed(budget: Budget) -> float:
    return budget.spent_usd + budget.held_usd + budget.open_usd


def test_what_is_reserved_is_settled_held_or_released() -> None:
    budget = Budget(1.0, spent_usd=0.1, held_usd=0.2)
    assert [budget.reserve(0.2), budget.reserve(0.3), budget.reserve(0.2)] == [True, True, True]
    assert not budget.reserve(0.01)
    budget.settle(0.2, 0.05)
    budget.hold(0.3)
    budget.release(0.2)
    amounts = (budget.max_usd, budget.spent_usd, budget.held_usd, budget.open_usd)
    assert amounts == pytest.approx((1.0, 0.15, 0.5, 0.0), abs=EXACT)


def test_a_limit_may_be_used_up_to_the_last_fraction() -> None:
    budget = Budget(0.3)
    assert all(budget.reserve(0.1) for _ in range(3))
    assert not budget.reserve(1e-15)
    assert budget.reserve(0.0)


def test_a_million_operations_do_not_drift() -> None:
    budget = Budget(1e9)
    chance = random.Random(1)
    costs = [chance.random() / 7 for _ in range(250_000)]
    for cost in costs:
        assert budget.reserve(cost)
        budget.settle(cost, cost / 3)
        assert budget.reserve(cost)
        budget.release(cost)
    assert budget.open_usd == 0
    assert budget.spent_usd == pytest.approx(math.fsum(cost / 3 for cost in costs), abs=1e-9)


@pytest.mark.parametrize("amount", [-0.1, float("nan"), float("inf")])
def test_what_is_no_amount_is_refused(amount: float) -> None:
    budget = Budget(1.0)
    assert budget.reserve(0.5)
    for act in (Budget, budget.reserve, budget.hold, budget.release):
        with pytest.raises(ValueError, match="USD"):
            act(amount)
    with pytest.raises(ValueError, match="USD"):
        budget.settle(0.5, amount)
    assert budget.open_usd == 0.5


def test_what_is_not_reserved_cannot_be_given_back() -> None:
    budget = Budget(1.0)
    assert budget.reserve(0.5)
    for act in (budget.hold, budget.release):
        with pytest.raises(ValueError, match="not reserved"):
            act(0.6)


def test_takers_come_in_as_they_came() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        order: list[int] = []

        async def taker(number: int, usd: float) -> None:
            await budget.take(usd)
            order.append(number)
            await asyncio.sleep(1)
            budget.release(usd)

        # The third would fit beside the first, and still stands behind the second.
        await asyncio.gather(taker(1, 0.6), taker(2, 0.9), taker(3, 0.3), taker(4, 0.1))
        assert order == [1, 2, 3, 4]
        assert (budget.open_usd, budget.waiting) == (0, 0)

    run(main)


def test_nobody_passes_one_who_waits() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        assert budget.reserve(0.6)
        waiting = asyncio.create_task(budget.take(0.9))
        await asyncio.sleep(0)
        assert not budget.reserve(0.1)
        budget.release(0.6)
        await waiting
        assert budget.reserve(0.1)

    run(main)


def test_who_cannot_ever_fit_is_told_at_once() -> None:
    async def main() -> None:
        budget = Budget(1.0, spent_usd=0.2, held_usd=0.3)
        assert budget.reserve(0.1)
        with pytest.raises(BudgetExceededError) as raised:
            await budget.take(0.6)
        error = raised.value
        told = (error.max_usd, error.needed_usd, error.spent_usd, error.held_usd)
        assert told == pytest.approx((1.0, 0.6, 0.2, 0.3), abs=EXACT)
        assert "max_cost_usd" in str(error)

    run(main)


def test_waiters_leave_as_soon_as_room_is_gone_for_good() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        assert budget.reserve(0.5)
        assert budget.reserve(0.5)
        fits, too_big = (asyncio.create_task(budget.take(usd)) for usd in (0.5, 0.8))
        await asyncio.sleep(0)
        budget.hold(0.5)  # 0.5 is left to be given back: too little for the second, in whatever way
        with pytest.raises(BudgetExceededError):
            await too_big
        assert not fits.done()
        budget.release(0.5)
        await fits

    run(main)


def test_a_call_that_cost_more_than_its_bound_stops_all_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        budget = Budget(1.0)
        for _ in range(3):
            assert budget.reserve(0.3)
        waiting = asyncio.create_task(budget.take(0.2))
        await asyncio.sleep(0)
        budget.settle(0.3, 0.31)
        budget.settle(0.3, 0.32)
        with pytest.raises(BudgetExceededError, match="bound"):
            await waiting
        assert not budget.reserve(0.0)
        assert budget.overruns == 2
        assert budget.spent_usd == pytest.approx(0.63, abs=EXACT)

    with caplog.at_level(logging.ERROR, logger="batch_llm"):
        run(main)
    assert len(caplog.records) == 1
    assert "its bound was wrong" in caplog.text


def test_the_noise_of_floats_is_no_overrun() -> None:
    budget = Budget(1.0)
    assert budget.reserve(0.3)
    budget.settle(0.3, 0.1 + 0.2)
    assert budget.overruns == 0


@pytest.mark.parametrize("is_granted", [True, False])
def test_one_who_is_cancelled_takes_nothing_along(is_granted: bool) -> None:
    async def main() -> None:
        budget = Budget(1.0)
        assert budget.reserve(0.8)
        first, second = (asyncio.create_task(budget.take(0.5)) for _ in range(2))
        await asyncio.sleep(0)
        if is_granted:
            budget.release(0.8)  # lets both in, before they can run
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        if not is_granted:
            budget.release(0.8)
        await second
        assert (budget.open_usd, budget.waiting) == (0.5, 0)

    run(main)


def test_one_who_is_cancelled_makes_way() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        assert budget.reserve(0.5)
        big, small = (asyncio.create_task(budget.take(usd)) for usd in (0.9, 0.4))
        await asyncio.sleep(0)
        big.cancel()
        await small
        assert budget.open_usd == pytest.approx(0.9, abs=EXACT)

    run(main)


def test_the_error_survives_pickling() -> None:
    error = BudgetExceededError("no", max_usd=1.0, needed_usd=0.5, spent_usd=0.25, held_usd=0.5)
    error.add_note("a note")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.max_usd, copy.needed_usd) == ("no", 1.0, 0.5)
    assert (copy.spent_usd, copy.held_usd) == (0.25, 0.5)


@given(
    limit=st.floats(0.0, 3.0),
    wants=st.lists(
        st.tuples(
            st.floats(0.0, 1.0),  # reserved
            st.floats(0.0, 1.0),  # of it, spent
            st.sampled_from(["settle", "hold", "release", "cancel"]),
            st.floats(0.0, 5.0),  # when it comes
            st.floats(0.0, 5.0),  # how long it takes, or waits at most
        ),
        max_size=60,
    ),
)
def test_racing_takers_never_pass_the_limit_and_all_come_to_an_end(
    limit: float, wants: list[tuple[float, float, str, float, float]]
) -> None:
    async def main() -> None:
        budget = Budget(limit)
        ended = []

        def check() -> None:
            assert _committed(budget) <= limit + EXACT

        async def taker(usd: float, share: float, end: str, at: float, seconds: float) -> None:
            await asyncio.sleep(at)
            try:
                if end == "cancel":
                    async with asyncio.timeout(seconds):
                        await budget.take(usd)
                else:
                    await budget.take(usd)
            except BudgetExceededError:
                # Told so only if it could not fit with all that is open given back.
                assert budget.spent_usd + budget.held_usd + usd > limit - EXACT
                ended.append(end)
                return
            except TimeoutError:
                check()
                ended.append(end)
                return
            check()
            await asyncio.sleep(seconds)
            match end:
                case "settle":
                    budget.settle(usd, usd * share)
                case "hold":
                    budget.hold(usd)
                case _:
                    budget.release(usd)
            check()
            ended.append(end)

        await asyncio.gather(*(taker(*want) for want in wants))
        assert len(ended) == len(wants)
        assert (budget.open_usd, budget.waiting, budget.overruns) == (0, 0, 0)

    run(main)


class Budgets(RuleBasedStateMachine):
    """Takers, ends and cancellations in any order, one turn of the loop between two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.budget = Budget(1.0)
        self.takers: list[tuple[float, asyncio.Task[None]]] = []
        self.open: list[float] = []
        self.spent = self.held = 0.0

    def teardown(self) -> None:
        for _, task in self.takers:
            task.cancel()
        self._turn()
        self.loop.close()

    def _turn(self) -> None:
        async def turns() -> None:
            for _ in range(3):
                await asyncio.sleep(0)

        self.loop.run_until_complete(turns())
        for usd, task in list(self.takers):
            if task.done():
                self.takers.remove((usd, task))
                if not task.cancelled() and task.exception() is None:
                    self.open.append(usd)

    @rule(usd=st.floats(0.0, 0.7), turns=st.booleans())
    def take(self, usd: float, turns: bool) -> None:
        self.takers.append((usd, self.loop.create_task(self.budget.take(usd))))
        if turns:
            self._turn()

    @rule(usd=st.floats(0.0, 0.7))
    def reserve(self, usd: float) -> None:
        if self.budget.reserve(usd):
            self.open.append(usd)

    @precondition(lambda self: self.open)
    @rule(data=st.data(), share=st.floats(0.0, 1.0), end=st.sampled_from("shr"))
    def end(self, data: st.DataObject, share: float, end: str) -> None:
        usd = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        if end == "s":
            self.budget.settle(usd, usd * share)
            self.spent += usd * share
        elif end == "h":
            self.budget.hold(usd)
            self.held += usd
        else:
            self.budget.release(usd)

    @precondition(lambda self: self.takers)
    @rule(data=st.data(), turns=st.booleans())
    def cancel(self, data: st.DataObject, turns: bool) -> None:
        self.takers[data.draw(st.integers(0, len(self.takers) - 1))][1].cancel()
        if turns:
            self._turn()

    @invariant()
    def never_more_than_the_limit(self) -> None:
        assert _committed(self.budget) <= 1.0 + EXACT
        assert self.budget.spent_usd == pytest.approx(self.spent, abs=1e-9)
        assert self.budget.held_usd == pytest.approx(self.held, abs=1e-9)

    @rule()
    def nothing_is_lost(self) -> None:
        self._turn()
        assert self.budget.open_usd == pytest.approx(sum(self.open), abs=1e-9)
        assert self.budget.waiting == len(self.takers)
        assert self.open or not self.takers, "who waits, waits for something"


def test_any_order_of_takers_ends_and_cancellations() -> None:
    run_state_machine_as_test(Budgets)
