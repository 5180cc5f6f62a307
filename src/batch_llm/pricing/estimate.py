"""What a run would take, told without a call."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from ..base.usage import TokenUsage
from ..exceptions import ConfigurationError
from .price_list import cost_usd, most_usd

if TYPE_CHECKING:
    from ..base.request import Prompt
    from ..base.strategy import LLMCallStrategy
    from ..base.usage import TokenBound

TNumber = TypeVar("TNumber", int, float)


@dataclass(slots=True)
class Estimate:
    """What calls would take if each item needed one, with `add` called once an item.

        estimate = Estimate(strategy, requests_per_minute=500)
        for prompt in prompts:
            estimate.add(prompt)
        print(estimate.rows, estimate.low_usd, estimate.high_usd, estimate.low_minutes)

    The low end expects input as `estimate_tokens` counts it, none of it cached, and answers of one
    token; the high end is what would be reserved for one call an item, and is no guess. Further
    attempts come on top, at most as often as they are allowed.

    Args:
        strategy: the one that would be called.
        requests_per_minute: the limit of calls, if there is one.
        tokens_per_minute: the limit of tokens, in and out, if there is one.

    Attributes:
        rows: items so far.
        input_tokens: expected, all items together.
        input_tokens_bound: the most; None where nothing bounds it.
        low_output_tokens: at least: a token an item.
        high_output_tokens: the most; None where nothing bounds it.
        low_usd: USD at the low end; None where the price is not known.
        high_usd: the most, in USD; None where the price is not known or nothing bounds it.
        unbounded: why there is no high end, in a sentence; None where there is one.
    """

    strategy: LLMCallStrategy[Any]
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    rows: int = field(default=0, init=False)
    input_tokens: int = field(default=0, init=False)
    input_tokens_bound: int | None = field(default=0, init=False)
    low_output_tokens: int = field(default=0, init=False)
    high_output_tokens: int | None = field(default=0, init=False)
    low_usd: float | None = field(default=0.0, init=False)
    high_usd: float | None = field(default=0.0, init=False)
    unbounded: str | None = field(default=None, init=False)

    def add(self, prompt: Prompt) -> None:
        """Count one more item.

        Raises:
            InputError: for a prompt that cannot be sent.
        """
        self.rows += 1
        expected = self.strategy.expected_input_tokens(prompt)
        self.input_tokens += expected
        self.low_output_tokens += 1
        self.low_usd = _sum(self.low_usd, self._low_usd_of(expected))
        bound = self._bound_of(prompt)
        most_input, most_output = (
            (None, None) if bound is None else (bound.input_tokens, bound.output_tokens)
        )
        self.input_tokens_bound = _sum(self.input_tokens_bound, most_input)
        self.high_output_tokens = _sum(self.high_output_tokens, most_output)
        self.high_usd = _sum(self.high_usd, self._high_usd_of(bound))

    @property
    def low_minutes(self) -> float | None:
        """Minutes that the limits make the run take at least; None without limits."""
        return self._minutes(self.input_tokens + self.low_output_tokens)

    @property
    def high_minutes(self) -> float | None:
        """The same, if all tokens are used that can be; None if nothing bounds them."""
        if self.tokens_per_minute is None:
            return self._minutes(0)
        if self.input_tokens_bound is None or self.high_output_tokens is None:
            return None
        return self._minutes(self.input_tokens_bound + self.high_output_tokens)

    def _minutes(self, tokens: int) -> float | None:
        limited = ((self.rows, self.requests_per_minute), (tokens, self.tokens_per_minute))
        return max((count / limit for count, limit in limited if limit is not None), default=None)

    def _low_usd_of(self, input_tokens: int) -> float | None:
        priced = self.strategy.priced_as
        if priced is None:
            return None
        # A call always has input, if only the markup around it.
        return cost_usd(priced, TokenUsage(input_tokens=max(1, input_tokens), output_tokens=1))

    def _bound_of(self, prompt: Prompt) -> TokenBound | None:
        try:
            bound = self.strategy.token_bound(prompt)
        except ConfigurationError as error:
            self.unbounded = self.unbounded or str(error)
            return None
        if bound is None:
            self.unbounded = self.unbounded or "The strategy tells no bound of its tokens."
        elif bound.output_tokens is None:
            self.unbounded = self.unbounded or (
                "Nothing bounds the answers: no limit is set, and the model's own is not known. "
                "Set max_output_tokens."
            )
        return bound

    def _high_usd_of(self, bound: TokenBound | None) -> float | None:
        priced = self.strategy.priced_as
        return None if priced is None or bound is None else most_usd(priced, bound)


def _sum(total: TNumber | None, more: TNumber | None) -> TNumber | None:
    """Return the sum; None where one of the two is not known."""
    return None if total is None or more is None else total + more
