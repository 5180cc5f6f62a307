"""The input of a response: items, what they may hold, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..tokens import TOKENS_OF_FILE, TOKENS_OF_IMAGE, TOKENS_OF_TURN, count_json, count_text
from .body import check_length, decoded
from .named_files import NamedFile
from .refusal import RefusedError, missing, not_among

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..ids import Ids

_ROLES: Final = ("assistant", "system", "developer", "user")
_INSTRUCTING: Final = frozenset({"system", "developer"})
_PARTS_OF_USER: Final = ("input_text", "input_image", "input_file", "input_audio")
_PARTS_OF_ASSISTANT: Final = ("output_text", "refusal")
_CALLS: Final = frozenset({"function_call", "custom_tool_call"})
_RESULTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})
_READ: Final = {"message"} | _CALLS | _RESULTS
"""The items whose text counts; of the others the bytes do, but of thoughts, which are free."""
_PREFIXES: Final = {
    "message": "msg_",
    "function_call": "fc_",
    "function_call_output": "fco_",
    "custom_tool_call": "ctc_",
    "custom_tool_call_output": "ctco_",
    "reasoning": "rs_",
}
ID_DIGITS: Final = 50


class _Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    file_id: str | None = None


class _Kind(msgspec.Struct):
    type: str = "message"


class _Item(msgspec.Struct):
    role: str | None = None
    content: str | list[_Part] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: str | list[_Part] | None = None


_KINDS: Final = msgspec.json.Decoder(_Kind)
_ITEMS: Final = msgspec.json.Decoder(_Item)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, Any])


@dataclass(slots=True)
class Dialogue:
    """All that was said up to a response, the response itself not included.

    Attributes:
        turns: (role, text) without the instructions.
        system: instructions among the items.
        tokens: of all.
        texts: of all, in order: for the cache of prompts.
        open_calls: ids of tool calls that have no result yet.
        items: of this request alone, as OpenAI lists them, the oldest first.
    """

    turns: list[tuple[str, str]] = field(default_factory=list)
    system: list[str] = field(default_factory=list)
    tokens: int = 0
    texts: list[str] = field(default_factory=list)
    open_calls: list[str] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)

    def continued(self) -> Dialogue:
        """Return the same dialogue, to go on with; its own items are left out."""
        return Dialogue(
            list(self.turns),
            list(self.system),
            self.tokens,
            list(self.texts),
            list(self.open_calls),
        )

    def say(self, role: str, text: str, more_tokens: int = 0) -> None:
        """Add a turn: four tokens, its text, and `more_tokens` for what is no text."""
        if role in _INSTRUCTING:
            self.system.append(text)
        else:
            self.turns.append((role, text))
        self.texts += (role, text)
        self.tokens += TOKENS_OF_TURN + count_text(text) + more_tokens


def hear(dialogue: Dialogue, given: str | list[msgspec.Raw], ids: Ids) -> None:
    """Add the input of a request to a dialogue.

    Tokens are those of the texts, the names and arguments of tool calls among them, four more an
    item, and a round number for each image and file.

    Raises:
        RefusedError: for items that cannot stand so.
    """
    if isinstance(given, str):
        dialogue.say("user", given)
        dialogue.items.append(_listed({"role": "user", "content": given}, "message", ids))
    else:
        check_length("input", given, 1, 2**31)
        for number, raw in enumerate(given):
            _hear_item(dialogue, raw, f"input[{number}]", ids)
    if dialogue.open_calls:
        message = f"No tool output found for function call {dialogue.open_calls[0]}."
        raise RefusedError(message, param="input")


def named_files(dialogue: Dialogue) -> Iterator[NamedFile]:
    """Yield the uploaded files that the items of this request name."""
    for number, item in enumerate(dialogue.items):
        for field_name in ("content", "output"):
            parts = item.get(field_name)
            if not isinstance(parts, list):
                continue
            for place, part in enumerate(parts):
                identifier = part.get("file_id") if isinstance(part, dict) else None
                if isinstance(identifier, str):
                    yield NamedFile(f"input[{number}].{field_name}[{place}].file_id", identifier)


def _hear_item(dialogue: Dialogue, raw: msgspec.Raw, name: str, ids: Ids) -> None:
    kind = decoded(_KINDS, bytes(raw), name).type
    if kind in _READ:
        _hear_known(dialogue, decoded(_ITEMS, bytes(raw), name), kind, name)
    elif kind != "reasoning":
        dialogue.tokens += count_json(raw)
    dialogue.items.append(_listed(decoded(_OBJECTS, bytes(raw), name), kind, ids))


def _hear_known(dialogue: Dialogue, item: _Item, kind: str, name: str) -> None:
    if kind == "message":
        _hear_message(dialogue, item, name)
    elif kind in _CALLS:
        _hear_call(dialogue, item, kind, name)
    else:
        _hear_result(dialogue, item, name)


def _hear_message(dialogue: Dialogue, item: _Item, name: str) -> None:
    if item.role is None:
        raise missing(f"{name}.role")
    if item.role not in _ROLES:
        raise not_among(f"{name}.role", item.role, _ROLES)
    if item.content is None:
        raise missing(f"{name}.content")
    allowed = _PARTS_OF_ASSISTANT if item.role == "assistant" else _PARTS_OF_USER
    text, tokens = _read(item.content, f"{name}.content", allowed)
    dialogue.say(item.role, text, tokens)


def _hear_call(dialogue: Dialogue, item: _Item, kind: str, name: str) -> None:
    given = item.arguments if kind == "function_call" else item.input
    if item.call_id is None:
        raise missing(f"{name}.call_id")
    if item.name is None:
        raise missing(f"{name}.name")
    if given is None:
        raise missing(f"{name}.{'arguments' if kind == 'function_call' else 'input'}")
    dialogue.open_calls.append(item.call_id)
    dialogue.say("assistant", f"{item.name}({given})")


def _hear_result(dialogue: Dialogue, item: _Item, name: str) -> None:
    if item.call_id is None:
        raise missing(f"{name}.call_id")
    if item.output is None:
        raise missing(f"{name}.output")
    if item.call_id not in dialogue.open_calls:
        message = f"No tool call found for function call output with call_id {item.call_id}."
        raise RefusedError(message, param="input")
    dialogue.open_calls.remove(item.call_id)
    text, tokens = _read(item.output, f"{name}.output", _PARTS_OF_USER)
    dialogue.say("tool", text, tokens)


def _read(content: str | Sequence[_Part], name: str, allowed: tuple[str, ...]) -> tuple[str, int]:
    """Return the text of a content, and the tokens of what is no text."""
    if isinstance(content, str):
        return content, 0
    texts: list[str] = []
    tokens = 0
    for number, part in enumerate(content):
        if part.type not in allowed:
            raise not_among(f"{name}[{number}].type", part.type, allowed)
        if part.type == "input_image":
            tokens += TOKENS_OF_IMAGE
        elif part.type in ("input_file", "input_audio"):
            tokens += TOKENS_OF_FILE
        else:
            field_name = "refusal" if part.type == "refusal" else "text"
            text = getattr(part, field_name)
            if text is None:
                raise missing(f"{name}[{number}].{field_name}")
            texts.append(text)
    return "\n".join(texts), tokens


def _listed(item: dict[str, Any], kind: str, ids: Ids) -> dict[str, Any]:
    """Return an item as OpenAI lists it: with a name, a type and a status."""
    shown = {**item, "type": kind}
    if not isinstance(shown.get("id"), str):
        shown["id"] = ids.hexadecimal(_PREFIXES.get(kind, "item_"), ID_DIGITS)
    if kind == "message" and isinstance(shown.get("content"), str):
        is_assistant = shown.get("role") == "assistant"
        part_type = "output_text" if is_assistant else "input_text"
        part: dict[str, Any] = {"type": part_type, "text": shown["content"]}
        shown["content"] = [{**part, "annotations": []} if is_assistant else part]
    if kind in _PREFIXES and kind != "reasoning":
        shown.setdefault("status", "completed")
    return shown
