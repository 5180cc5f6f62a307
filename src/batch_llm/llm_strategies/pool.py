"""Several keys or endpoints of one model, used as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..base.fingerprint import joined_fingerprint, without_address
from ..base.strategy import LLMCallStrategy, RoutingStrategy, TOutput, resolve
from .members import checked_members, fingerprints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..base.retry_state import RetryState


class StrategyPool(RoutingStrategy[TOutput]):
    """Sends each attempt to the strategy whose quota is freest, and past those out of order.

        keys = [os.environ["KEY_A"], os.environ["KEY_B"]]
        pool = StrategyPool(OpenAICompatibleStrategy("gpt-5-nano", api_key=key) for key in keys)
        await process_prompts(prompts, pool)

    Meant for strategies that answer alike: several keys of one model, or several servers of it.
    Where they are equally free they take turns. Each keeps its own limits; one that is out of
    order is left out as long as another is left, so that the work goes on without it.

    Args:
        strategies: those to choose from, all with outputs of one type. An `EscalatingStrategy` may
            be among them, or hold this: it is as free as the strategy it would go to.

    Raises:
        ConfigurationError: if there are no strategies, one of them is none, or they answer with
            different types.
    """

    def __init__(self, strategies: Iterable[LLMCallStrategy[TOutput]]) -> None:
        self.members = checked_members(self, strategies)
        self._turn = 0

    def route(
        self,
        attempt: int,
        state: RetryState,
        headroom: Callable[[LLMCallStrategy[TOutput]], float],
    ) -> LLMCallStrategy[TOutput]:
        """Return the member with the most headroom; of several, the one whose turn it is."""
        members = self.members
        free = [headroom(resolve(member, attempt, state, headroom)) for member in members]
        most = max(free)
        for place in range(self._turn, self._turn + len(members)):
            number = place % len(members)
            if free[number] == most:
                self._turn = (number + 1) % len(members)
                return members[number]
        return members[0]  # a headroom that is no number: any will do

    def fingerprint(self) -> str | None:
        """Return the first member's, where all differ in their addresses at most; else of all."""
        told = fingerprints_of(self)
        if told is None:
            return None
        alike = len({without_address(text) for text in told}) == 1
        return told[0] if alike else joined_fingerprint("pool", told)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.members)!r})"
