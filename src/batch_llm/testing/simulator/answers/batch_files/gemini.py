"""Lines of a Gemini batch's input and output files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...call import Answer
from .embedding import embedding_refused

if TYPE_CHECKING:
    from ...call import Ending

_WITHHELD: Final = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII")
_ENDINGS: Final[dict[str | None, Ending]] = {
    "MAX_TOKENS": "length",
    **dict.fromkeys(_WITHHELD, "safety"),
}
"""Of the others, what the content holds tells how it ends."""


class _FunctionCall(msgspec.Struct):
    name: str = ""
    args: dict[str, Any] = {}


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: _FunctionCall | None = None
    function_response: Any = None
    function_response_snake: Any = msgspec.field(name="function_response", default=None)

    @property
    def is_result(self) -> bool:
        """Whether it is what a function returned."""
        return self.function_response is not None or self.function_response_snake is not None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None
    role: str | None = None

    @property
    def texts(self) -> list[str]:
        """All texts but thoughts."""
        return [part.text for part in self.parts or () if part.text and not part.thought]


class _Request(msgspec.Struct):
    contents: list[_Content]


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Usage(msgspec.Struct, rename="camel"):
    candidates_token_count: int = 0
    thoughts_token_count: int = 0


class _Response(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: _Usage | None = None


def gemini_turns(line: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (role, text) of each turn that a line of the input asks with, the oldest first.

    Raises:
        InputError: for a line of a batch of embeddings.
        msgspec.ValidationError: for a broken line.
    """
    request = msgspec.convert(line["request"], dict[str, Any])
    if "content" in request:
        raise embedding_refused()
    contents = msgspec.convert(request, _Request).contents
    return [(_role(content), "\n".join(content.texts)) for content in contents]


def gemini_answer(line: dict[str, Any]) -> Answer | None:
    """Return what a line of the output answers; None where it failed, or holds no answer.

    Raises:
        InputError: for a line of a batch of embeddings.
        msgspec.ValidationError: for a broken line.
    """
    if line.get("response") is None:
        return None
    body = msgspec.convert(line["response"], dict[str, Any])
    if "embedding" in body:
        raise embedding_refused()
    response = msgspec.convert(body, _Response)
    answer = _first(response)
    if answer is not None and (usage := response.usage_metadata) is not None:
        # Google leaves zeros out, and tells the tokens of all candidates together.
        choices = len(response.candidates or ()) or 1
        answer.reasoning_tokens = usage.thoughts_token_count // choices
        answer.output_tokens = answer.reasoning_tokens + usage.candidates_token_count // choices
    return answer


def _role(content: _Content) -> str:
    """Return who speaks; what functions returned is no word of the user."""
    parts = content.parts or ()
    if parts and all(part.is_result for part in parts):
        return "tool"
    return content.role or "user"


def _first(response: _Response) -> Answer | None:
    """Return the first candidate; a refusal where the prompt was blocked."""
    if response.candidates:
        candidate = response.candidates[0]
        answer = _said(candidate.content or _Content())
        answer.ending = _ENDINGS.get(candidate.finish_reason, answer.ending)
        return answer
    feedback = response.prompt_feedback or _Feedback()
    return None if feedback.block_reason is None else Answer("", "refusal")


def _said(content: _Content) -> Answer:
    for part in content.parts or ():
        if (call := part.function_call) is not None:
            return Answer(msgspec.json.encode(call.args).decode(), "tool_call", call.name)
    return Answer("".join(content.texts))
