"""Chat completions in the files of an OpenAI batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ...call import Answer

if TYPE_CHECKING:
    from ...call import Ending

_INSTRUCTING: Final = ("system", "developer")
_ENDINGS: Final[dict[str | None, Ending]] = {"length": "length", "content_filter": "safety"}
"""Of the others, what the message holds tells how it ends."""


class _Part(msgspec.Struct):
    text: str | None = None


class _Turn(msgspec.Struct):
    role: str
    content: str | list[_Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content or () if part.text is not None)


class _Request(msgspec.Struct):
    messages: list[_Turn]


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Custom(msgspec.Struct):
    name: str
    input: str


class _ToolCall(msgspec.Struct):
    function: _Function | None = None
    custom: _Custom | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    completion_tokens: int | None = None
    completion_tokens_details: _Details | None = None


class _Completion(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


def chat_turns(body: dict[str, object]) -> list[tuple[str, str]]:
    """Return (role, text) of each turn of a request, without its instructions."""
    turns = msgspec.convert(body, _Request).messages
    return [(turn.role, turn.text) for turn in turns if turn.role not in _INSTRUCTING]


def chat_answer(body: dict[str, object]) -> Answer | None:
    """Return the first choice of a completion; None where it has none."""
    completion = msgspec.convert(body, _Completion)
    if not completion.choices:
        return None
    choice = completion.choices[0]
    answer = _said(choice.message)
    answer.ending = _ENDINGS.get(choice.finish_reason, answer.ending)
    _bill(answer, completion.usage, len(completion.choices))
    return answer


def _said(message: _Message) -> Answer:
    for call in message.tool_calls or ():
        if call.function is not None:
            return Answer(call.function.arguments, "tool_call", call.function.name)
        if call.custom is not None:
            return Answer(call.custom.input, "tool_call", call.custom.name)
    if message.refusal:
        return Answer(message.refusal, "refusal")
    return Answer(message.content or "")


def _bill(answer: Answer, usage: _Usage | None, choices: int) -> None:
    """Note the tokens of one choice; OpenAI tells those of all together."""
    if usage is None or usage.completion_tokens is None:
        return
    details = usage.completion_tokens_details or _Details()
    answer.output_tokens = usage.completion_tokens // choices
    answer.reasoning_tokens = (details.reasoning_tokens or 0) // choices
