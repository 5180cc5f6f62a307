"""A row of failures of what is asked again and again, and when they are believed to last."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from .refusals import is_bad_key, jobs_wait

if TYPE_CHECKING:
    from ...exceptions import ProviderError

    Kind: TypeAlias = Literal["key", "gone", "passing"]

logger = logging.getLogger("batch_llm")

_GONE: Final = frozenset({404, 410})


class Outage:
    """Takes note of failures, and logs the first of a row.

    A gateway that has a bad day refuses keys, and knows nothing of what is there: either is
    believed only once it has lasted for the time of grace.

    Args:
        provider: who fails, by name.
        name: what is asked about, in words for a person.
        grace_seconds: for how long a failure that may last has to, to be believed.
    """

    def __init__(self, provider: str, name: str, grace_seconds: float) -> None:
        self._provider = provider
        self._name = name
        self._grace_seconds = grace_seconds
        self._kind: Kind | None = None
        self._since = 0.0
        self.is_gone = False
        """Whether what was asked for has not been known for that long."""
        self.retry_after_seconds = 0.0
        """How long the provider asks to wait before the next time."""

    def note(self, what: str, error: ProviderError) -> str:
        """Take note of a failure; return it in words for a person.

        Raises:
            AuthenticationError: if the key has been refused for the time of grace.
        """
        said, kind, now = f"{what}: {error}", _kind(error), time.monotonic()
        if self._kind is None:
            logger.warning("%s: %s It is tried again.", self._name, said)
        if self._kind != kind:
            self._kind, self._since = kind, now
        lasts = now - self._since >= self._grace_seconds
        if kind == "key" and lasts:
            raise jobs_wait(self._provider, error) from error
        self.is_gone = kind == "gone" and lasts
        self.retry_after_seconds = error.retry_after or 0.0
        return said

    def end(self) -> None:
        """Take note of an answer: the row is over."""
        self._kind, self.is_gone, self.retry_after_seconds = None, False, 0.0


def _kind(error: ProviderError) -> Kind:
    if is_bad_key(error):
        return "key"
    return "gone" if error.status_code in _GONE else "passing"
