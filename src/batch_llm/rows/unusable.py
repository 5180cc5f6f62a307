"""Work items for rows that cannot be used: each fails without a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ..base import LLMCallStrategy, PricedModel, TokenBound
from ..exceptions import InputError

if TYPE_CHECKING:
    from ..base import Prompt, RetryState


class UnusableRows(LLMCallStrategy[Any]):
    """Fails every item with the reason that stands in place of its prompt.

    A row without a prompt then goes the way of all others, and comes out as one failed result. It
    asks nothing of a provider: its quota is its own, and its cost is 0.
    """

    quota_scope = "unusable rows"
    priced_as = PricedModel("local", "none")

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> NoReturn:
        """Raise InputError."""
        raise InputError(prompt)

    async def dry_run(self, prompt: str) -> NoReturn:
        """Raise InputError: a trial tells of the row too."""
        raise InputError(prompt)

    def fingerprint(self) -> str:
        """Return a constant: the reason is the prompt."""
        return "unusable row"

    def token_bound(self, prompt: Prompt) -> TokenBound:
        """Return none: there is no call."""
        return TokenBound(0, 0)
