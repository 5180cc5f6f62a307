"""Calls of tools in a conversation, and their results."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(slots=True)
class ToolTalk:
    """Tools that a turn asks for, and those whose results it brings.

    Attributes:
        asked: ids of the calls.
        answered: (place, id of the call) of each result.
    """

    asked: list[str] = field(default_factory=list)
    answered: list[tuple[str, str]] = field(default_factory=list)


def check_talks(talks: Sequence[ToolTalk]) -> None:
    """Refuse a call without its result in the next turn, and a result without its call.

    Args:
        talks: of each turn, in order.

    Raises:
        RefusedError: for the first one.
    """
    before: list[str] = []
    for index, talk in enumerate(talks):
        for place, name in talk.answered:
            if name not in before:
                raise RefusedError(
                    f"{place}: unexpected `tool_use_id` found in `tool_result` blocks: {name}. "
                    f"Each `tool_result` block must have a corresponding `tool_use` block in the "
                    f"previous message."
                )
        names = {name for _, name in talk.answered}
        _check_answered([name for name in before if name not in names], index - 1)
        before = talk.asked
    _check_answered(before, len(talks) - 1)


def _check_answered(left: Sequence[str], index: int) -> None:
    if left:
        raise RefusedError(
            f"messages.{index}: `tool_use` ids were found without `tool_result` blocks "
            f"immediately after: {', '.join(left)}. Each `tool_use` block must have a "
            f"corresponding `tool_result` block in the next message."
        )
