"""What an item remembers from one attempt to the next."""

from __future__ import annotations

from typing import Any, Final

LAST_CATEGORY: Final = "batch_llm.last_category"
"""Key of the category of the item's last failed attempt, as the classifier named it."""

LAST_ERROR: Final = "batch_llm.last_error"
"""Key of the name of the exception's type that the last failed attempt ended with."""

REPAIR: Final = "batch_llm.repair"
"""Key of the item's last answer that did not fit, and of what was wrong with it: a
`base.repair.Misfit`. It is there until another answer comes."""

ROUTES: Final = "batch_llm.routes"
"""Key of how far the item has come in each escalation."""


class RetryState:
    """A small store that lives as long as one item.

    The same object reaches every `execute` and `on_error` of the item, so that a strategy can
    keep a conversation, a partial answer or the model it escalated to.
    """

    __slots__ = ("data",)

    def __init__(self, data: dict[str, Any] | None = None) -> None:
        self.data: dict[str, Any] = {} if data is None else data

    def get(self, key: str, default: Any = None) -> Any:
        """Return the value under `key`, or `default`."""
        return self.data.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Keep `value` under `key`."""
        self.data[key] = value

    def delete(self, key: str, raise_if_missing: bool = False) -> None:
        """Forget `key`.

        Raises:
            KeyError: if there is no such key and `raise_if_missing` is true.
        """
        if raise_if_missing:
            del self.data[key]
        else:
            self.data.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self.data.clear()

    def __contains__(self, key: object) -> bool:
        return key in self.data

    def __repr__(self) -> str:
        # Values may hold prompts and answers, which belong in no log.
        return f"RetryState(keys={sorted(self.data)!r})"
