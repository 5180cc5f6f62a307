"""What was billed for answers that pydantic-ai could not read.

The library counts the tokens of an answer once it has read the whole of it. Where it stumbles
before that, the bill stands in the HTTP response alone. So the responses of a call are held while
it lasts, and only if it fails are they read once more, for the bill and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx2

from ...base.usage import add_usage
from ...wire import anthropic, gemini, openai_chat, openai_responses
from .errors import request_id_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from ...base.usage import TokenUsage

# By the end of the address's path, whatever stands before it.
_BILLS = {
    "/chat/completions": openai_chat.billed_tokens,
    "/responses": openai_responses.billed_tokens,
    "/messages": anthropic.billed_tokens,
    ":generateContent": gemini.billed_tokens,
}
_BILLS_OF_STREAMS = {"/messages": anthropic.billed_tokens_of_stream}


class UnreadAnswers:
    """The answers to one call, or one run, whose tokens the library has not counted.

    Args:
        counted: says what the library has counted by now. It counts an answer before it asks for
            the next one: once the counts have changed, those that came before are read.
    """

    __slots__ = ("_counted", "_counted_before", "_responses")

    def __init__(self, counted: Callable[[], object]) -> None:
        self._counted = counted
        self._counted_before = counted()
        self._responses: list[httpx2.Response] = []

    def add(self, response: httpx2.Response) -> None:
        """Hold a response whose head has come; its body comes later."""
        self._drop_counted()
        self._responses.append(response)
        if _is_stream(response) and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _Copied(response.stream)

    def __len__(self) -> int:
        self._drop_counted()
        return len(self._responses)

    @property
    def usage(self) -> TokenUsage | None:
        """The tokens that they say were billed; None where none of them says."""
        self._drop_counted()
        total: TokenUsage | None = None
        for response in self._responses:
            billed = _billed_tokens(response)
            if billed is not None:
                total = billed if total is None else add_usage(total, billed)
        return total

    @property
    def is_bill_final(self) -> bool:
        """Whether `usage` is all of it: answers may lack a bill, and streams tell some of it last.

        Responses outside 2xx have no bill, and need none.
        """
        self._drop_counted()
        answers = [response for response in self._responses if response.is_success]
        return not any(_is_stream(each) or _billed_tokens(each) is None for each in answers)

    @property
    def request_id(self) -> str | None:
        """The provider's id of the last request, where its answer came and names it."""
        return request_id_in(self._responses[-1].headers) if self._responses else None

    def _drop_counted(self) -> None:
        counted = self._counted()
        if counted != self._counted_before:
            self._counted_before = counted
            self._responses.clear()


class _Copied(httpx2.AsyncByteStream):
    """A body of which a copy is made as it is read; in all else it is the stream it copies."""

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream
        self.pieces: list[bytes] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._stream:
            self.pieces.append(piece)
            yield piece

    async def aclose(self) -> None:
        await self._stream.aclose()


def _billed_tokens(response: httpx2.Response) -> TokenUsage | None:
    decoders = _BILLS_OF_STREAMS if _is_stream(response) else _BILLS
    path = response.request.url.path
    for end, billed_tokens in decoders.items():
        if path.endswith(end):
            body = _body_of(response)
            return None if body is None else billed_tokens(body)
    return None


def _body_of(response: httpx2.Response) -> bytes | None:
    """Return as much of the body as has come, or None where that cannot be told."""
    try:
        if isinstance(response.stream, _Copied):
            pieces = b"".join(response.stream.pieces)
            # Only the client knows how a body is compressed and decompressed.
            response = httpx2.Response(200, headers=_encoding(response), content=pieces)
        content = response.content
    except (httpx2.ResponseNotRead, httpx2.DecodingError):
        return None
    return content


def _encoding(response: httpx2.Response) -> dict[str, str]:
    encoding = response.headers.get("content-encoding")
    return {"content-encoding": encoding} if encoding else {}


def _is_stream(response: httpx2.Response) -> bool:
    return response.headers.get("content-type", "").startswith("text/event-stream")
