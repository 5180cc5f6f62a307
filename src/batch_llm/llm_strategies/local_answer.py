"""What llama.cpp sends for one request, read as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..exceptions import InvalidRequestError, MalformedAnswerError, ProviderError, ServerError
from ..wire.http_errors import short_message
from ..wire.openai_chat import decode_chat

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire.answer import ChatAnswer


class _Delta(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Error(msgspec.Struct):
    code: int | None = None
    message: str = ""
    type: str | None = None
    n_prompt_tokens: int | None = None
    n_ctx: int | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] = []
    usage: Any = None  # read by `decode_chat`
    error: _Error | None = None


_CHUNKS = msgspec.json.Decoder(_Chunk)


class StreamedAnswer:
    """One answer, put together from its chunks.

    Args:
        private: prompts, of which an error's message must hold no part.
    """

    __slots__ = ("_error", "_finish_reason", "_is_readable", "_pieces", "_private", "_usage")

    def __init__(self, private: Iterable[str] = ()) -> None:
        self._private = private
        self._pieces: list[str] = []
        self._finish_reason: str | None = None
        self._usage: object = None
        # Not kept as an exception: it would hold its frame, which holds this, for the collector.
        self._error: _Error | None = None
        self._is_readable = True

    @property
    def is_whole(self) -> bool:
        """Whether the model has come to its end."""
        return self._finish_reason is not None

    @property
    def has_failed(self) -> bool:
        """Whether `finish` will raise, whatever may still come."""
        return self._error is not None or not self._is_readable

    def add(self, data: bytes) -> None:
        """Take one chunk, as JSON. Never raises: the caller is C++, which would swallow it."""
        try:
            chunk = _CHUNKS.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self._is_readable = False
            return
        self._error = chunk.error
        self._usage = chunk.usage or self._usage
        for choice in chunk.choices:
            self._finish_reason = choice.finish_reason or self._finish_reason
            if choice.delta is not None and choice.delta.content:
                self._pieces.append(choice.delta.content)

    def finish(self) -> ChatAnswer:
        """Return the whole answer.

        Raises:
            InvalidRequestError: if llama.cpp turned the request down.
            ServerError: if it failed.
            MalformedAnswerError: if its chunks are not its format, or ended before the answer did.
        """
        if self._error is not None:
            raise _failure(self._error, self._private)
        if not self._is_readable:
            raise MalformedAnswerError("llama.cpp sent something that is no chunk of an answer.")
        if not self.is_whole:
            raise MalformedAnswerError("llama.cpp ended an answer without a finish reason.")
        message = {"role": "assistant", "content": "".join(self._pieces)}
        choice = {"message": message, "finish_reason": self._finish_reason}
        whole = {"choices": [choice], "usage": self._usage}
        return decode_chat(msgspec.json.encode(whole), private=self._private)


def refusal(message: str, private: Iterable[str] = ()) -> InvalidRequestError:
    """Return the error for a request that llama.cpp turned down, saying `message`."""
    reason = short_message(message, private)
    return InvalidRequestError(f"The local model refuses the request: {reason}", status_code=400)


def _failure(error: _Error, private: Iterable[str]) -> ProviderError:
    if error.type == "exceed_context_size_error":
        return InvalidRequestError(
            f"The prompt has {error.n_prompt_tokens} tokens; the local model has room for "
            f"{error.n_ctx} a request, the answer included. Shorten the prompt, or raise "
            f"context_tokens.",
            status_code=400,
            code=error.type,
        )
    if error.code is not None and 400 <= error.code < 500:
        return refusal(error.message, private)
    reason = short_message(error.message, private)
    return ServerError(f"llama.cpp failed: {reason}", status_code=error.code, code=error.type)
