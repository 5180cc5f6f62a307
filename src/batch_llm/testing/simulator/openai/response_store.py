"""The responses that OpenAI keeps."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..shelf import Shelf
from .refusal import RefusedError

if TYPE_CHECKING:
    from .response_input import Dialogue

_MOST: Final = 10_000


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response, and what led to it.

    Attributes:
        response: as the client got it.
        input_items: of its request, the oldest first.
        dialogue: up to and with the response, for what follows it.
    """

    response: dict[str, Any]
    input_items: list[dict[str, Any]]
    dialogue: Dialogue


class ResponseStore:
    """Keeps the latest 10,000 responses, so that memory does not grow."""

    def __init__(self) -> None:
        self._shelf: Shelf[KeptResponse] = Shelf()
        self._order: deque[tuple[str, str]] = deque()

    def put(self, key: str, kept: KeptResponse) -> None:
        """Keep a response of `key`."""
        name = kept.response["id"]
        self._shelf.put(key, name, kept.response["created_at"], kept)
        self._order.append((key, name))
        if len(self._order) > _MOST:
            self._shelf.delete(*self._order.popleft())

    def get(self, key: str, name: str) -> KeptResponse:
        """Return a response.

        Raises:
            RefusedError: if there is none that `key` may see.
        """
        kept = self._shelf.get(key, name)
        if kept is None:
            raise _not_kept(name)
        return kept

    def previous(self, key: str, name: str) -> KeptResponse:
        """Return the response that another one follows.

        Raises:
            RefusedError: if there is none that `key` may see.
        """
        kept = self._shelf.get(key, name)
        if kept is None:
            message = f"Previous response with id '{name}' not found."
            raise RefusedError(
                message, param="previous_response_id", code="previous_response_not_found"
            )
        return kept

    def delete(self, key: str, name: str) -> None:
        """Keep a response no longer.

        Raises:
            RefusedError: if there is none that `key` may see.
        """
        if self._shelf.delete(key, name) is None:
            raise _not_kept(name)


def _not_kept(name: str) -> RefusedError:
    """Return the error for a response that is not there."""
    return RefusedError(f"Response with id '{name}' not found.", status=404)
