"""Equal requests in flight, which share one call."""

from __future__ import annotations

import asyncio
import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Hashable

    from ..base import LLMRequest
    from .life import ItemLife


class Twins:
    """Finds items whose request is just being answered for another.

    Args:
        share: True for all equal requests; None for those alone whose temperature is 0, since the
            answers of others are meant to differ.
    """

    __slots__ = ("_calls", "_share")

    def __init__(self, share: bool | None) -> None:
        self._share = share
        self._calls: dict[Hashable, asyncio.Future[Any]] = {}

    def key_of(self, life: ItemLife[Any, Any, Any]) -> Hashable | None:
        """Return what equal requests have in common; None where the item shares with none."""
        lease, prompt = life.home, life.item.prompt
        if not self._share and not (lease.repeats and lease.strategy.is_repeatable(prompt)):
            return None
        return id(lease), prompt if isinstance(prompt, str) else _digest(prompt)

    def leader_of(self, key: Hashable) -> asyncio.Future[Any] | None:
        """Return the call under way for `key`; None where the caller is now the one to make it."""
        leader = self._calls.get(key)
        if leader is None:
            self._calls[key] = asyncio.get_running_loop().create_future()
        return leader

    def ended(self, key: Hashable, answer: tuple[Any] | None) -> None:
        """Give the answer to all who wait, as a tuple of one; None has each make its own call."""
        call = self._calls.pop(key)
        if not call.done():
            call.set_result(answer)


def _digest(prompt: LLMRequest) -> bytes:
    from ..ledger.identity import request_digest

    return request_digest("", prompt)


def copied(output: Any) -> Any:
    """Return an output for another item: what one does to its own is of no concern to the other."""
    if output is None or isinstance(output, (str, bytes, int, float)):
        return output
    try:
        return copy.deepcopy(output)
    except Exception:  # a foreign class may refuse to be copied in any way; then it is shared
        return output
