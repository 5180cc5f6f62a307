"""Tokens a minute, in all and of each kind."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from ...strategies.token_budget import TokenBudget, TokenHold
from ...strategies.usage_guess import UsageGuess

if TYPE_CHECKING:
    from ...base.usage import TokenBound, TokenUsage

logger = logging.getLogger("batch_llm")

_FIRST_INPUT_GUESS: Final = 1_000
_FIRST_OUTPUT_GUESS: Final = 1_000
_KINDS: Final = ("", "input ", "output ")


class _Held(NamedTuple):
    total: TokenHold | None
    input: TokenHold | None
    output: TokenHold | None


class TokenLimits:
    """The budgets that a call's tokens count against; those without a limit are None.

    Where nothing bounds a call's output, what earlier calls used is reserved, with a margin: see
    `UsageGuess`. No window is exceeded as long as no call uses more than that.

    Args:
        smoothing: see `TokenBudget`.
    """

    def __init__(self, smoothing: float) -> None:
        self._smoothing = smoothing
        self.total: TokenBudget | None = None
        self.input: TokenBudget | None = None
        self.output: TokenBudget | None = None
        self._inputs = UsageGuess(_FIRST_INPUT_GUESS)
        self._outputs = UsageGuess(_FIRST_OUTPUT_GUESS)
        # By their bounds: calls with equal bounds may stand in for each other.
        self._held: dict[TokenBound | None, deque[_Held]] = {}
        self._warned = False

    def limit(
        self, total: float | None, input_tokens: float | None, output_tokens: float | None
    ) -> None:
        """Put limits a minute into force; None leaves what is."""
        self.total = self._limited(self.total, total)
        self.input = self._limited(self.input, input_tokens)
        self.output = self._limited(self.output, output_tokens)

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return any(self._budgets())

    def ready_at(self, bound: TokenBound | None, now: float) -> float:
        """Return when a call may reserve its tokens; inf if others must be settled first."""
        when = now
        for budget, tokens in zip(self._budgets(), self._amounts(bound), strict=True):
            if budget is not None:
                when = max(when, budget.ready_at(tokens, now))
        return when

    def reserve(self, bound: TokenBound | None, now: float) -> None:
        """Hold the tokens of a call that starts now."""
        amounts = self._amounts(bound)
        if not self._warned:
            self._warn_of_lone_calls(amounts)
        holds = (
            None if budget is None else budget.reserve(tokens, now)
            for budget, tokens in zip(self._budgets(), amounts, strict=True)
        )
        self._held.setdefault(bound, deque()).append(_Held(*holds))

    def settle(self, bound: TokenBound | None, usage: TokenUsage | None, now: float) -> None:
        """Put what a call used in the place of what it held; None keeps all of it."""
        held = self._taken(bound)
        if held is None and usage is None:
            return
        used: tuple[int | None, ...] = (None, None, None)
        if usage is not None:
            sent, made = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
            used = (max(usage.get("total_tokens", 0), sent + made), sent, made)
            if used[0]:
                self._inputs.add(sent)
                self._outputs.add(made)
        for budget, hold, tokens in zip(
            self._budgets(), held or (None, None, None), used, strict=True
        ):
            if budget is not None:
                budget.settle(hold, tokens, now)

    def abandon(self, now: float) -> None:
        """Learn that no call in flight will be settled: all that they held counts as used."""
        for bound, held in list(self._held.items()):
            for _ in range(len(held)):
                self.settle(bound, None, now)

    def headroom(self, now: float) -> float:
        """Return the free share of the scarcest."""
        return min(
            (budget.headroom(now) for budget in self._budgets() if budget is not None), default=1.0
        )

    def _warn_of_lone_calls(self, amounts: tuple[int, int, int]) -> None:
        for kind, budget, tokens in zip(_KINDS, self._budgets(), amounts, strict=True):
            if budget is not None and tokens > budget.limit:
                self._warned = True
                logger.warning(
                    "One call may use %s %stokens, and the limit is %s a minute: such calls go one "
                    "at a time, a minute apart. A lower limit of output tokens a call, or shorter "
                    "prompts, would let more of them go.",
                    f"{tokens:,}",
                    kind,
                    f"{budget.limit:,.0f}",
                )

    def _budgets(self) -> tuple[TokenBudget | None, TokenBudget | None, TokenBudget | None]:
        return self.total, self.input, self.output

    def _amounts(self, bound: TokenBound | None) -> tuple[int, int, int]:
        sent = self._inputs.tokens if bound is None else bound.input_tokens
        made = None if bound is None else bound.output_tokens
        if made is None:
            made = self._outputs.tokens
        return sent + made, sent, made

    def _taken(self, bound: TokenBound | None) -> _Held | None:
        waiting = self._held.get(bound)
        if waiting is None:
            return None
        held = waiting.popleft()
        if not waiting:
            del self._held[bound]
        return held

    def _limited(self, budget: TokenBudget | None, limit: float | None) -> TokenBudget | None:
        if limit is None:
            return budget
        if budget is None:
            return TokenBudget(limit, self._smoothing)
        budget.limit = limit
        return budget
