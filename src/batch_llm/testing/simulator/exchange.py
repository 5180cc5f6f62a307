"""What comes over the wire and what goes back, without a socket."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from .call import Usage
from .encoding import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .books import CallRecord
    from .faults import Fault

_JSON_TYPE: Final = "application/json"


@dataclass(slots=True)
class Request:
    """One HTTP request.

    Attributes:
        method: "GET", "POST", …
        path: decoded, below the provider's prefix: "/chat/completions".
        headers: by name; names are looked up in any case.
        body: the whole body.
        query: the first value of each parameter of the address.
        params: the parts of the path that the route names.
        origin: scheme, host and the provider's prefix, as the client wrote them:
            "http://127.0.0.1:8080/openai/v1".
        key: the API key, once the provider has read it; "" before.
        id: the provider's name of this request, given back in a header.
        unreadable: why the body cannot be read; None where it can.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""
    query: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    key: str = ""
    id: str = ""
    unreadable: str | None = None


def bearer_token(request: Request) -> str:
    """Return the token of the header `Authorization`; "" for none, or another scheme."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@dataclass(slots=True)
class Response:
    """What goes back.

    Attributes:
        status: of HTTP.
        body: the whole body; of a stream, all its pieces joined.
        headers: besides the length and the type.
        content_type: of the body.
        pieces: the body of a stream, in the pieces that are sent; None for a whole answer.
        piece_seconds: simulated seconds between two pieces.
        fault: what the connection does to this answer; None sends it as it is.
        record: the call's entry in the books, closed when it was sent.
        told: of a stream, which of its pieces tell the client what it is billed for, the first of
            them first: the number of each, from 0, and what the client knows with it. None where
            only the whole answer tells it.
        pieces_sent: of a stream, how many were handed to the connection.
        route: provider and endpoint, for the books; None for what is no provider's.
        generation: of the world that answered; a reset begins the next.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = _JSON_TYPE
    pieces: Sequence[bytes] | None = None
    piece_seconds: float = 0.0
    fault: Fault | None = None
    record: CallRecord | None = None
    told: Sequence[tuple[int, Usage]] | None = None
    pieces_sent: int = 0
    route: tuple[str, str] | None = None
    generation: int = 0

    def usage_told(self) -> Usage | None:
        """Return what the pieces that were sent told of the bill; None as in `told`."""
        if self.told is None:
            return None
        known = [usage for piece, usage in self.told if piece < self.pieces_sent]
        return known[-1] if known else Usage()


def json_response(
    value: Any, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a response that holds `value` as JSON."""
    return Response(status, encode_json(value), headers or {})


def stream_response(
    pieces: Sequence[bytes],
    headers: dict[str, str] | None = None,
    told: Sequence[tuple[int, Usage]] | None = None,
) -> Response:
    """Return a stream of server-sent events, each piece with its own end of event."""
    return Response(
        200,
        b"".join(pieces),
        headers or {},
        content_type="text/event-stream",
        pieces=pieces,
        told=told,
    )


def event(data: Any, name: str | None = None) -> bytes:
    """Return one server-sent event; `data` is made JSON, but for bytes, which stay."""
    body = data if isinstance(data, bytes) else encode_json(data)
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return head + b"data: " + body + b"\n\n"
