"""Lines of an Anthropic batch's results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...call import Answer

if TYPE_CHECKING:
    from ...call import Ending

_ENDINGS: Final[dict[str | None, Ending]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
}
"""Of the others, what the message holds tells how it ends."""


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    name: str | None = None
    input: Any = None


class _Details(msgspec.Struct):
    thinking_tokens: int | None = None


class _Usage(msgspec.Struct):
    output_tokens: int | None = None
    output_tokens_details: _Details | None = None


class _Message(msgspec.Struct):
    content: list[_Block]
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: _Usage | None = None


class _Result(msgspec.Struct):
    type: str
    message: Any = None


class _Line(msgspec.Struct):
    result: _Result


def anthropic_answer(line: dict[str, Any]) -> Answer | None:
    """Return what a line answers; None where it errored, was canceled or expired.

    Raises:
        msgspec.ValidationError: for a broken line.
    """
    result = msgspec.convert(line, _Line).result
    if result.type != "succeeded":
        return None
    message = msgspec.convert(result.message, _Message)
    answer = _said(message.content)
    answer.ending = _ENDINGS.get(message.stop_reason, answer.ending)
    answer.stopped_by = message.stop_sequence
    usage = message.usage or _Usage()
    if usage.output_tokens is not None:
        details = usage.output_tokens_details or _Details()
        answer.output_tokens = usage.output_tokens
        answer.reasoning_tokens = details.thinking_tokens or 0
    return answer


def _said(content: list[_Block]) -> Answer:
    """Return the first tool that is asked for, or else all text: citations cut it in blocks."""
    for block in content:
        if block.type == "tool_use":
            arguments = msgspec.json.encode(block.input).decode()
            return Answer(arguments, "tool_call", block.name)
    return Answer("".join(block.text for block in content))
