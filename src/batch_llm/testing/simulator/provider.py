"""What each of the three providers gives to the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .call import Provider
    from .exchange import Request, Response
    from .routes import Route
    from .serving import Dialect


class ProviderFace(Protocol):
    """One provider: its endpoints, and how it speaks."""

    @property
    def name(self) -> Provider:
        """The provider."""
        ...

    @property
    def dialect(self) -> Dialect:
        """How it speaks."""
        ...

    def routes(self) -> list[Route]:
        """Return all endpoints, their paths below the provider's prefix."""
        ...

    def key_of(self, request: Request) -> str:
        """Return the API key that a request carries; "" for none."""
        ...

    def wrong_key(self, key: str) -> Response:
        """Return the error for a key that is missing ("") or wrong."""
        ...

    def unknown_path(self, request: Request) -> Response:
        """Return the error for an address that is none."""
        ...

    def unknown_method(self, request: Request) -> Response:
        """Return the error for an address that knows no such method."""
        ...

    def new_request_id(self) -> str:
        """Return a name for a request."""
        ...

    def usual_headers(self, request: Request) -> Mapping[str, str]:
        """Return the headers that stand on every answer: the request's id and the like."""
        ...

    async def aclose(self) -> None:
        """Stop what runs, such as batches."""
        ...
