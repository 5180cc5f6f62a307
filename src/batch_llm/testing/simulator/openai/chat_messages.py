"""The messages of a chat completion: what they may hold, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ..tokens import TOKENS_OF_FILE, TOKENS_OF_IMAGE, count_turns
from .body import check_length
from .named_files import NamedFile
from .refusal import RefusedError, missing, not_among

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_ROLES: Final = ("system", "assistant", "user", "function", "tool", "developer")
_INSTRUCTING: Final = frozenset({"system", "developer"})
_PART_TYPES: Final = ("text", "image_url", "input_audio", "refusal", "file")
_MOST_TOOL_CALLS: Final = 128


class _Image(msgspec.Struct):
    url: str
    detail: str | None = None


class _Audio(msgspec.Struct):
    data: str
    format: str


class _File(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: _Image | None = None
    input_audio: _Audio | None = None
    file: _File | None = None


class _Function(msgspec.Struct):
    name: str
    arguments: str


class _Custom(msgspec.Struct):
    name: str
    input: str


class _ToolCall(msgspec.Struct):
    id: str
    type: str = "function"
    function: _Function | None = None
    custom: _Custom | None = None

    def text(self) -> str:
        if self.custom is not None:
            return f"{self.custom.name}({self.custom.input})"
        return "" if self.function is None else f"{self.function.name}({self.function.arguments})"


class ChatMessage(msgspec.Struct):
    """One message, as the client sends it."""

    role: str
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: _Function | None = None


@dataclass(slots=True)
class Conversation:
    """What the messages come to.

    Attributes:
        turns: (role, text) without the instructions.
        system: the instructions of the roles system and developer.
        tokens: of all, four a message included.
        texts: of all, in order: for the cache of prompts.
    """

    turns: list[tuple[str, str]] = field(default_factory=list)
    system: str = ""
    tokens: int = 0
    texts: list[str] = field(default_factory=list)


def conversation_of(messages: Sequence[ChatMessage]) -> Conversation:
    """Return what the messages say.

    Tokens are those of the texts, the names and arguments of tool calls among them, four more a
    message, and a round number for each image, file and recording.

    Raises:
        RefusedError: for messages that cannot stand so.
    """
    check_length("messages", messages, 1, 2**31)
    talk = Conversation()
    all_turns: list[tuple[str, str]] = []
    for number, message in enumerate(messages):
        text, extra_tokens = _read(message, number)
        all_turns.append((message.role, text))
        talk.tokens += extra_tokens
    _check_tool_results(messages)
    instructions = [text for role, text in all_turns if role in _INSTRUCTING]
    talk.turns = [turn for turn in all_turns if turn[0] not in _INSTRUCTING]
    talk.system = "\n".join(instructions)
    talk.tokens += count_turns(all_turns)
    talk.texts = [part for turn in all_turns for part in turn]
    return talk


def named_files(messages: Sequence[ChatMessage]) -> Iterator[NamedFile]:
    """Yield the uploaded files that messages name."""
    for number, message in enumerate(messages):
        if not isinstance(message.content, list):
            continue
        for place, part in enumerate(message.content):
            if part.type == "file" and part.file is not None and part.file.file_id is not None:
                name = f"messages[{number}].content[{place}].file.file_id"
                yield NamedFile(name, part.file.file_id)


def _read(message: ChatMessage, number: int) -> tuple[str, int]:
    """Return the text of a message, and the tokens of what is no text."""
    name = f"messages[{number}]"
    if message.role not in _ROLES:
        raise not_among(f"{name}.role", message.role, _ROLES)
    content = message.content
    if isinstance(content, str):
        if message.tool_calls is None:
            return content, 0
        texts, tokens = [content], 0
    elif content is not None:
        check_length(f"{name}.content", content, 1, 2**31)
        texts, tokens = _read_parts(content, name)
    else:
        _check_content(message, name)
        texts, tokens = [message.refusal] if message.refusal else [], 0
    if message.tool_calls is not None:
        check_length(f"{name}.tool_calls", message.tool_calls, 1, _MOST_TOOL_CALLS)
        texts.extend(call.text() for call in message.tool_calls)
    return "\n".join(texts), tokens


def _check_content(message: ChatMessage, name: str) -> None:
    """Refuse a message without content; only the assistant's may do without."""
    spoken = message.tool_calls or message.function_call or message.refusal
    if message.role == "assistant" and spoken:
        return
    text = f"Invalid value for 'content': expected a string, got null. (at {name}.content)"
    raise RefusedError(text, param=f"{name}.content")


def _read_parts(parts: Sequence[_Part], name: str) -> tuple[list[str], int]:
    texts: list[str] = []
    tokens = 0
    for number, part in enumerate(parts):
        text, of_part = _read_part(part, f"{name}.content[{number}]")
        tokens += of_part
        if text is not None:
            texts.append(text)
    return texts, tokens


def _read_part(part: _Part, name: str) -> tuple[str | None, int]:
    if part.type not in _PART_TYPES:
        raise not_among(f"{name}.type", part.type, _PART_TYPES)
    if getattr(part, part.type) is None:
        raise missing(f"{name}.{part.type}")
    if part.type == "image_url":
        return None, TOKENS_OF_IMAGE
    if part.type in ("file", "input_audio"):
        return None, TOKENS_OF_FILE
    return part.text or part.refusal or "", 0


def _check_tool_results(messages: Sequence[ChatMessage]) -> None:
    """Refuse tool results without a call before them, and calls without results."""
    open_calls: list[str] = []
    may_answer = False
    for number, message in enumerate(messages):
        if message.role == "tool":
            if not may_answer:
                text = (
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceeding message with 'tool_calls'."
                )
                raise RefusedError(text, param=f"messages.[{number}].role")
            if message.tool_call_id is None:
                raise missing(f"messages[{number}].tool_call_id")
            open_calls = [name for name in open_calls if name != message.tool_call_id]
            continue
        _check_answered(open_calls, number)
        open_calls = [call.id for call in message.tool_calls or ()]
        may_answer = bool(open_calls)
    _check_answered(open_calls, len(messages))


def _check_answered(open_calls: Iterable[str], number: int) -> None:
    left = ", ".join(open_calls)
    if left:
        text = (
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            "to each 'tool_call_id'. The following tool_call_ids did not have response messages: "
            f"{left}"
        )
        raise RefusedError(text, param=f"messages.[{number}].role")
