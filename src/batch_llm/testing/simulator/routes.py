"""From a method and a path to what answers it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from .exchange import Request, Response

    Handler = Callable[[Request], Awaitable[Response]]

TRefused = TypeVar("TRefused", bound=Exception)

_PARAMETER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint.

    Attributes:
        method: of HTTP.
        pattern: the path, with `{names}` for its parts; a part holds no slash and no colon.
        operation: the endpoint in the provider's words: "chat.completions", "batches.create".
        handler: what answers it.
        calls_model: whether it calls a model: faults and limits then fall where the call is made.
        needs_key: whether a key is asked for.
    """

    method: str
    pattern: str
    operation: str
    handler: Handler = field(compare=False)
    calls_model: bool = False
    needs_key: bool = True

    @property
    def name(self) -> str:
        """The endpoint as the books and the documentation call it: "POST /files/{id}"."""
        return f"{self.method} {self.pattern}"


class UnknownPathError(Exception):
    """No route has this path."""


class UnknownMethodError(Exception):
    """The path is there, but not with this method."""


class Router:
    """Finds the route of a request; paths without parameters cost one look-up."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = tuple(routes)
        self._exact = {
            (route.method, route.pattern): route
            for route in self.routes
            if not _PARAMETER.search(route.pattern)
        }
        self._patterns = [(_compiled(route.pattern), route) for route in self.routes]

    def __iter__(self) -> Iterator[Route]:
        return iter(self.routes)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        """Return the route and the named parts of the path.

        Raises:
            UnknownPathError: if no route has this path.
            UnknownMethodError: if only the method is wrong.
        """
        if (exact := self._exact.get((method, path))) is not None:
            return exact, {}
        other_method = False
        for pattern, route in self._patterns:
            if (match := pattern.fullmatch(path)) is None:
                continue
            if route.method == method:
                return route, match.groupdict()
            other_method = True
        raise UnknownMethodError(method) if other_method else UnknownPathError(path)


def refusing(
    handler: Handler, refused: type[TRefused], said: Callable[[TRefused], Response]
) -> Handler:
    """Return a handler that answers what an endpoint refuses with the provider's error.

    Args:
        handler: the endpoint.
        refused: what it raises for a request that is not in order.
        said: returns the provider's error for it.
    """

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except refused as error:
            return said(error)

    return answer


def _compiled(pattern: str) -> re.Pattern[str]:
    parts = _PARAMETER.split(pattern)
    regex = "".join(
        f"(?P<{part}>[^/:]+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
    return re.compile(regex)
