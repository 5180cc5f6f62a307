"""What calls may cost, held before each, and what they did cost, settled after it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..exceptions import ConfigurationError, LedgerError
from ..pricing import most_usd

if TYPE_CHECKING:
    from ..base import PricedModel, TokenBound
    from .budget import Budget


class Reservations(Protocol):
    """Keeps what calls may cost where a crash does not reach it: a ledger is one."""

    async def reserve(self, bound_usd: float) -> int:
        """Write down, before a call is made, what it may cost at the most; return its number.

        Raises:
            BatchLLMError: if it cannot be written.
        """
        ...

    def settle(self, call_number: int, usd: float | None) -> None:
        """Say what a call has cost; None, where nobody will know, holds its reservation for ever.

        Raises:
            LedgerError: if a ledger cannot be written.
        """


@dataclass(slots=True)
class Payment:
    """What is held for one call.

    Attributes:
        held_usd: the most that the call can cost.
        number: the ledger's number of the reservation; None without a ledger.
    """

    held_usd: float
    number: int | None


@dataclass(slots=True)
class Hold:
    """What is held for one call, of tokens and of money.

    Attributes:
        bound: the tokens; None where nothing limits them.
        payment: the money; None where there is no cap.
        is_counted: whether the gate counts the tokens.
    """

    bound: TokenBound | None = None
    payment: Payment | None = None
    is_counted: bool = False


class Payments:
    """Holds the worst case of each call against the cap, durably where there is a ledger.

    Args:
        budget: the cap, and what is spent and held of it.
        ledger: where reservations are written before the call is made; None keeps them here alone.
    """

    __slots__ = ("_budget", "_ledger")

    def __init__(self, budget: Budget, ledger: Reservations | None) -> None:
        self._budget = budget
        self._ledger = ledger

    async def open(
        self, item_id: str, priced: PricedModel | None, bound: TokenBound | None
    ) -> Payment:
        """Hold what a call can cost; wait while calls under way may leave room for it.

        Raises:
            BudgetExceededError: if there is no room for it, and none can come.
            ConfigurationError: if no one can say what the call costs at the most.
            BatchLLMError: if the reservation cannot be written; of a ledger a `LedgerError`.
        """
        most = _worst_case(item_id, priced, bound)
        await self._budget.take(most)
        if self._ledger is None:
            return Payment(most, None)
        try:
            number = await self._ledger.reserve(most)
        except BaseException:
            self._budget.release(most)
            raise
        return Payment(most, number)

    def settle(self, payment: Payment, cost_usd: float | None) -> None:
        """Replace what was held by what the call cost; None keeps it: the answer never came.

        A ledger that can no longer be written holds it for ever, which is the safe side. The item's
        end cannot be written either, and says so.
        """
        if cost_usd is None:
            self._budget.hold(payment.held_usd)
        else:
            self._budget.settle(payment.held_usd, cost_usd)
        if self._ledger is not None and payment.number is not None:
            with suppress(LedgerError):
                self._ledger.settle(payment.number, cost_usd)


def _worst_case(item_id: str, priced: PricedModel | None, bound: TokenBound | None) -> float:
    if priced is None or bound is None:
        raise ConfigurationError(
            f"max_cost_usd cannot be kept for {item_id!r}: its strategy does not say what a call "
            f"costs at the most (priced_as and token_bound)."
        )
    if bound.output_tokens is None:
        raise ConfigurationError(
            f"max_cost_usd cannot be kept for {item_id!r}: nothing bounds the answers of "
            f"{priced.model!r}. Set max_output_tokens."
        )
    most = most_usd(priced, bound)
    if most is None:
        raise ConfigurationError(
            f"max_cost_usd cannot be kept for {item_id!r}: the price of {priced.provider}'s "
            f"{priced.model!r} is not known."
        )
    return most
