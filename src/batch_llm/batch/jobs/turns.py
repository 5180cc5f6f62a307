"""Turns of a conversation, as a user gives them to a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from ...base import Message
from ...base.chat_messages import SYSTEM_ROLES

Turns: TypeAlias = Iterable[Message | Mapping[str, Any]]
"""`Message` objects, or turns as OpenAI writes them."""


def readable_twice(turns: Turns | None) -> Turns | None:
    """Return what can be read twice; a mistake is left for `Job` to tell of."""
    is_listing = isinstance(turns, Iterable) and not isinstance(turns, (str, bytes, Mapping))
    return list(turns) if turns is not None and is_listing else turns


def has_system(turns: object) -> bool:
    """Return whether one of the turns that `readable_twice` returned says what `system` would."""
    if not isinstance(turns, list):
        return False
    return any(isinstance(turn, Mapping) and turn.get("role") in SYSTEM_ROLES for turn in turns)
