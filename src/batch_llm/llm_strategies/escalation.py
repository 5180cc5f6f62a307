"""A cheap model first, and a strong one for what the cheap one got wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..base.fingerprint import joined_fingerprint
from ..base.retry_state import LAST_CATEGORY, LAST_ERROR, ROUTES
from ..base.strategy import LLMCallStrategy, RoutingStrategy, TOutput
from ..exceptions import ConfigurationError
from .members import checked_members, fingerprints_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..base.retry_state import RetryState

ESCALATED_FAILURES: Final = frozenset(
    {"validation_error", "OutputTruncatedError", "OutputValidationError", "RefusalError"}
)
"""Failures of which another model may know better: answers that do not fit, that were cut at the
token limit, and that were refused. Words are error categories and names of exception types."""


@dataclass(slots=True)
class _Place:
    """How far an item has come in one escalation.

    Attributes:
        attempt: the attempt that was last asked for.
        step: number of the member that it went to, from 0.
    """

    attempt: int
    step: int


class EscalatingStrategy(RoutingStrategy[TOutput]):
    """Asks the first strategy, and the next one after each failure that another may know better.

        cheap = OpenAICompatibleStrategy("gpt-5-nano", output_schema=Invoice)
        strong = OpenAICompatibleStrategy("gpt-5", output_schema=Invoice)
        await process_prompts(prompts, EscalatingStrategy([cheap, strong]))

    An answer that does not fit, is cut at the token limit or refused moves the item one strategy
    on, and the last strategy stays for all later attempts. Rate limits, lost connections, timeouts
    and failures of the server say nothing about the model: those attempts are made again with the
    same one. A strategy with `repair` shows its model the answer of the one before, and what was
    wrong with it.

    The attempts of an item are counted over all strategies: `RetryConfig.max_attempts` should be
    as many as there are, or more.

    Args:
        strategies: cheapest first; all with outputs of one type. A `StrategyPool` may be among
            them, or hold this.
        on: what moves an item on, as error categories ("server_error") and names of exception
            types ("RefusalError"); by default `ESCALATED_FAILURES`.

    Raises:
        ConfigurationError: if there are no strategies, one of them is none, they answer with
            different types, or `on` is not a collection of words.
    """

    def __init__(
        self,
        strategies: Iterable[LLMCallStrategy[TOutput]],
        *,
        on: Iterable[str] = ESCALATED_FAILURES,
    ) -> None:
        self.members = checked_members(self, strategies)
        self._on = _checked_words(on)

    def route(
        self,
        attempt: int,
        state: RetryState,
        headroom: Callable[[LLMCallStrategy[TOutput]], float],
    ) -> LLMCallStrategy[TOutput]:
        """Return the member for this attempt; the same however often it is asked for."""
        place = self._place_in(state)
        if attempt > place.attempt:
            if attempt > 1 and self._moves_on(state):
                place.step = min(place.step + 1, len(self.members) - 1)
            place.attempt = attempt
        return self.members[place.step]

    def tries_on(self, state: RetryState) -> bool:
        """Return whether the last failure leads to another member, here or in the present one."""
        step = self._place_in(state).step
        if self._moves_on(state) and step + 1 < len(self.members):
            return True
        member = self.members[step]
        return isinstance(member, RoutingStrategy) and member.tries_on(state)

    def fingerprint(self) -> str | None:
        """Return that of all members in order, and of what moves an item on."""
        told = fingerprints_of(self)
        if told is None:
            return None
        return told[0] if len(told) == 1 else joined_fingerprint("escalation", told + self._words)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({list(self.members)!r})"

    @property
    def _words(self) -> list[str]:
        return sorted(self._on)

    def _moves_on(self, state: RetryState) -> bool:
        return state.get(LAST_CATEGORY) in self._on or state.get(LAST_ERROR) in self._on

    def _place_in(self, state: RetryState) -> _Place:
        places: dict[int, _Place] = state.get(ROUTES) or {}
        state.set(ROUTES, places)
        # By identity: escalations may stand in each other, and all outlive the item.
        return places.setdefault(id(self), _Place(attempt=0, step=0))


def _checked_words(on: Iterable[str]) -> frozenset[str]:
    words = () if isinstance(on, str) else tuple(on)
    if not words or not all(isinstance(word, str) and word for word in words):
        raise ConfigurationError(
            f"on is a collection of error categories and names of exception types, such as "
            f"{sorted(ESCALATED_FAILURES)}, not {on!r:.80}."
        )
    return frozenset(words)
