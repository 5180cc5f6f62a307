"""Lines of an OpenAI batch's input and output files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from .....exceptions import InputError
from .embedding import embedding_refused
from .openai_chat import chat_answer, chat_turns
from .openai_response import response_answer, response_turns

if TYPE_CHECKING:
    from ...call import Answer


class _Request(msgspec.Struct):
    body: dict[str, Any]
    url: str | None = None


class _Response(msgspec.Struct):
    status_code: int
    body: Any = None


class _Result(msgspec.Struct):
    response: _Response | None


def openai_turns(line: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (role, text) of each turn that a line of the input asks with, the oldest first.

    Raises:
        InputError: for a line of another endpoint than chat completions and responses.
        msgspec.ValidationError: for a broken line.
    """
    request = msgspec.convert(line, _Request)
    if request.url is not None and request.url.endswith("/embeddings"):
        raise embedding_refused()
    if "messages" in request.body:
        return chat_turns(request.body)
    if "input" in request.body:
        return response_turns(request.body)
    raise InputError(
        'its body asks for no chat completion, for want of "messages", and for no response, for '
        'want of "input"; it cannot be recorded.'
    )


def openai_answer(line: dict[str, Any]) -> Answer | None:
    """Return what a line of the output answers; None where it failed, or holds no answer.

    A body that reports an error is a failure, whatever its status.

    Raises:
        InputError: for a line of another endpoint than chat completions and responses.
        msgspec.ValidationError: for a broken line.
    """
    response = msgspec.convert(line, _Result).response
    if response is None or response.status_code != 200:
        return None
    body = msgspec.convert(response.body, dict[str, Any])
    if "choices" in body:
        return chat_answer(body)
    if "output" in body:
        return response_answer(body)
    if body.get("error") is not None:
        return None
    if "data" in body:
        raise embedding_refused()
    raise InputError(
        'its body is no chat completion, for want of "choices", and no response, for want of '
        '"output"; it cannot be recorded.'
    )
