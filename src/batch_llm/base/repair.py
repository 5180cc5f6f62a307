"""What an item remembers of an answer that did not fit, so that the model can be shown it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from .request import LLMRequest, Message
from .retry_state import REPAIR

if TYPE_CHECKING:
    from .retry_state import RetryState

LONGEST_ANSWER_BYTES: Final = 32_768
"""A longer answer is not shown to the model again: the next attempt asks anew."""

LONGEST_PROBLEM: Final = 2_000
"""Characters of what was wrong that the model is told."""

_FRAME_BYTES: Final = 128  # what a provider writes around two turns


@dataclass(frozen=True, slots=True)
class Misfit:
    """An answer that did not fit, and why. Both are of the model's making and go in no log.

    Attributes:
        answer: the model's own words.
        problem: what did not fit.
    """

    answer: str = field(repr=False)
    problem: str = field(repr=False)

    @property
    def note(self) -> str:
        """What the model is told."""
        return (
            f"That answer cannot be used. {self.problem}\n\n"
            f"Answer again, with the whole answer and nothing else, and mend what was wrong."
        )


def remember_misfit(state: RetryState | None, answer: str, problem: str) -> None:
    """Keep an answer that did not fit for the next attempt, in place of any earlier one."""
    if state is None:
        return
    state.delete(REPAIR)
    # No provider takes an empty turn, and there is nothing to mend.
    if answer.strip() and len(answer.encode("utf-8", "replace")) <= LONGEST_ANSWER_BYTES:
        state.set(REPAIR, Misfit(answer, problem[:LONGEST_PROBLEM]))


def forget_misfit(state: RetryState | None) -> None:
    """Drop what was kept: another answer has come."""
    if state is not None and REPAIR in state:
        state.delete(REPAIR)


def with_misfit(request: LLMRequest, state: RetryState | None) -> LLMRequest:
    """Return `request` with the answer that did not fit, and what was wrong with it, behind it."""
    misfit = None if state is None else state.get(REPAIR)
    if not isinstance(misfit, Misfit):
        return request
    turns = (Message("assistant", misfit.answer), Message("user", misfit.note))
    fields = {f.name: getattr(request, f.name) for f in dataclasses.fields(request)}
    return LLMRequest(**{**fields, "messages": (*request.messages, *turns)})


def repair_bytes(state: RetryState | None) -> int:
    """Return the most bytes, and so tokens, that a repair adds to the next call's input.

    A strategy's `token_bound` knows the prompt alone: this is added to it.
    """
    misfit = None if state is None else state.get(REPAIR)
    if not isinstance(misfit, Misfit):
        return 0
    texts = (misfit.answer, misfit.note)
    return sum(len(text.encode("utf-8", "replace")) for text in texts) + _FRAME_BYTES
