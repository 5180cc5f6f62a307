"""Tokens of batches that are not at an end."""

from __future__ import annotations

from collections import Counter

Scope = tuple[str, str, str]
"""Provider, model and key."""


class EnqueuedTokens:
    """Adds up the tokens of batches, by provider, model and key."""

    def __init__(self) -> None:
        self._batches: dict[str, tuple[Scope, int]] = {}
        self._tokens: Counter[Scope] = Counter()

    def add(self, batch: str, scope: Scope, tokens: int, limit: int | None) -> bool:
        """Count a batch, and return True; or False where all together exceed the limit."""
        if limit is not None and self._tokens[scope] + tokens > limit:
            return False
        self.remove(batch)
        self._batches[batch] = scope, tokens
        self._tokens[scope] += tokens
        return True

    def remove(self, batch: str) -> None:
        """Count a batch no more; nothing happens where it is not counted."""
        if (counted := self._batches.pop(batch, None)) is None:
            return
        scope, tokens = counted
        self._tokens[scope] -= tokens
        if not self._tokens[scope]:
            del self._tokens[scope]
