"""Sees the HTTP responses that a model's client gets.

pydantic-ai keeps them to itself. Its models send with httpx2, whose clients tell of each response
by an event hook; which client is a model's stands in attributes of the SDKs that are not public.
Where they are not found, nothing is seen and nothing fails.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakSet

from ...strategies import report_quota

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import httpx2

    from .unread_answers import UnreadAnswers


class HTTPWatch:
    """Sees the responses that the clients of models get within `calls`.

    The hook stays on a client until `detach`. Between calls it does nothing, so that calls that
    overlap need not know of each other.
    """

    def __init__(self) -> None:
        self._clients: WeakSet[httpx2.AsyncClient] = WeakSet()

    @contextmanager
    def calls(
        self, model: object, counted: Callable[[], object] = int, scope: str | None = None
    ) -> Iterator[UnreadAnswers]:
        """Hold the answers that come while the block runs, in this task and those it starts.

        Args:
            model: of pydantic-ai; of anything else, nothing is seen.
            counted: see `UnreadAnswers`; by default the library counts nothing within the block.
            scope: the quota whose limits the headers tell.
        """
        from .unread_answers import UnreadAnswers

        self._attach(model)
        unread = UnreadAnswers(counted)
        outer = _current.get()
        _current.set((self, unread, scope))
        try:
            yield unread
        finally:
            # No token: a coroutine that is thrown away may end in another context.
            _current.set(outer)

    def detach(self) -> None:
        """Take the hook off all clients."""
        for client in self._clients:
            hooks = client.event_hooks
            rest = [hook for hook in hooks["response"] if hook != self._note]
            client.event_hooks = {**hooks, "response": rest}
        self._clients.clear()

    def _attach(self, model: object) -> None:
        # Each time anew: the library replaces a client where the event loop is another one.
        for client in _clients_of(model):
            if client not in self._clients:
                hooks = client.event_hooks
                # New lists: another task may be in the middle of the old one.
                client.event_hooks = {**hooks, "response": [*hooks["response"], self._note]}
                self._clients.add(client)

    async def _note(self, response: httpx2.Response) -> None:
        current = _current.get()
        # Another strategy may watch the same client.
        if current is not None and current[0] is self:
            current[1].add(response)
            report_quota(current[2], response.headers)


_current: ContextVar[tuple[HTTPWatch, UnreadAnswers, str | None] | None] = ContextVar(
    "batch_llm_unread_answers", default=None
)


def _clients_of(model: object) -> Iterator[httpx2.AsyncClient]:
    import httpx2
    from pydantic_ai.models.fallback import FallbackModel
    from pydantic_ai.models.wrapper import WrapperModel

    if isinstance(model, FallbackModel):
        for each in model.models:
            yield from _clients_of(each)
    elif isinstance(model, WrapperModel):
        yield from _clients_of(model.wrapped)
    else:
        sdk = getattr(model, "client", None)
        google = getattr(sdk, "_api_client", None)
        for client in (
            getattr(sdk, "_client", None),
            getattr(google, "_async_httpx_client", None),
        ):
            if isinstance(client, httpx2.AsyncClient):
                yield client
