"""Responses in the files of an OpenAI batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ...call import Answer

if TYPE_CHECKING:
    from ...call import Ending

_INSTRUCTING: Final = ("system", "developer")
_ANSWERED: Final = ("completed", "incomplete", None)
_ENDINGS: Final[dict[str | None, Ending]] = {
    "max_output_tokens": "length",
    "content_filter": "safety",
}
"""Of the others, what the output holds tells how it ends."""


class _Part(msgspec.Struct):
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    """One item of the input or of the output; its type tells which of the fields it has."""

    type: str = "message"
    role: str | None = None
    content: str | list[_Part] | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None


class _Request(msgspec.Struct):
    input: str | list[_Item] | None


class _Details(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    output_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    output: list[_Item]
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None


def response_turns(body: dict[str, object]) -> list[tuple[str, str]]:
    """Return (role, text) of each turn of a request's input, without instructions."""
    given = msgspec.convert(body, _Request).input or []
    if isinstance(given, str):
        return [("user", given)]
    return [
        (item.role, "\n".join(_texts(item)))
        for item in given
        if item.type == "message" and item.role is not None and item.role not in _INSTRUCTING
    ]


def response_answer(body: dict[str, object]) -> Answer | None:
    """Return what a response says; None where it failed, or has no output."""
    response = msgspec.convert(body, _Response)
    if response.status not in _ANSWERED or not response.output:
        return None
    answer = _said(response.output)
    reason = (response.incomplete_details or _Incomplete()).reason
    answer.ending = _ENDINGS.get(reason, answer.ending)
    usage = response.usage or _Usage()
    if usage.output_tokens is not None:
        details = usage.output_tokens_details or _Details()
        answer.output_tokens = usage.output_tokens
        answer.reasoning_tokens = details.reasoning_tokens or 0
    return answer


def _said(output: list[_Item]) -> Answer:
    for item in output:
        given = item.input if item.type == "custom_tool_call" else item.arguments
        if item.type in ("function_call", "custom_tool_call") and given is not None:
            return Answer(given, "tool_call", item.name)
    said = [item for item in output if item.type == "message"]
    refusals = [part.refusal for item in said for part in _parts(item) if part.refusal]
    if refusals:
        return Answer("".join(refusals), "refusal")
    return Answer("".join(text for item in said for text in _texts(item)))


def _texts(item: _Item) -> list[str]:
    return [part.text for part in _parts(item) if part.text is not None]


def _parts(item: _Item) -> list[_Part]:
    content = item.content or []
    return [_Part(content)] if isinstance(content, str) else content
