"""The tools of a response, and which of them the model must use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from ..decoding import is_given
from ..tokens import count_json
from .body import check_length, decoded
from .chat_tools import MOST_TOOLS, FunctionTool, Offer, named_tool, read_function
from .refusal import missing, not_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..call import Tool

_CHOICES: Final = ("none", "auto", "required")
_MODES: Final = ("auto", "required")


class _Tool(msgspec.Struct):
    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw(b"")
    strict: bool | None = None


class _Named(msgspec.Struct):
    name: str | None = None


class _Choice(msgspec.Struct):
    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[_Named] | None = None


_TOOLS: Final = msgspec.json.Decoder(_Tool)
_OBJECTS: Final = msgspec.json.Decoder(dict[str, Any])
_TOOL_CHOICES: Final = msgspec.json.Decoder(str | _Choice)
_VALUES: Final = msgspec.json.Decoder(object)


class WantedTools(NamedTuple):
    """The tools of a request.

    Attributes:
        callable: functions and tools of free text, which the client runs.
        custom: names of those of free text.
        tokens: of all.
        shown: as the response tells them again.
    """

    callable: list[Tool]
    custom: frozenset[str]
    tokens: int
    shown: list[dict[str, Any]]


def read_tools(raws: Sequence[msgspec.Raw] | None) -> WantedTools:
    """Return the tools; OpenAI's own ones are accepted, and the model never uses them.

    Raises:
        RefusedError: for a tool that cannot be.
    """
    if not raws:
        return WantedTools([], frozenset(), 0, [])
    check_length("tools", raws, 1, MOST_TOOLS)
    tools: list[Tool] = []
    custom: set[str] = set()
    tokens = 0
    shown: list[dict[str, Any]] = []
    for number, raw in enumerate(raws):
        name = f"tools[{number}]"
        given = decoded(_TOOLS, bytes(raw), name)
        if given.type in ("function", "custom"):
            tool, of_tool = _read_tool(given, name)
            tools.append(tool)
            tokens += of_tool
            if given.type == "custom":
                custom.add(tool.name)
        else:
            tokens += count_json(raw)
        shown.append(_shown_tool(decoded(_OBJECTS, bytes(raw), name)))
    return WantedTools(tools, frozenset(custom), tokens, shown)


def _read_tool(given: _Tool, name: str) -> tuple[Tool, int]:
    if given.name is None:
        raise missing(f"{name}.name")
    parameters = msgspec.Raw(b"") if given.type == "custom" else given.parameters
    function = FunctionTool(given.name, given.description, parameters, given.strict)
    return read_function(function, name)


def _shown_tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        return tool
    usual = {"description": None, "parameters": None}
    return {**usual, **tool, "strict": True if tool.get("strict") is None else tool["strict"]}


class WantedChoice(NamedTuple):
    """What the client says of the use of tools.

    Attributes:
        offer: the tools that the model may use.
        shown: the choice, as the response tells it again.
    """

    offer: Offer
    shown: object


def read_choice(raw: msgspec.Raw, tools: list[Tool]) -> WantedChoice:
    """Return the choice of tools.

    Raises:
        RefusedError: for one that does not fit the tools.
    """
    if not is_given(raw):
        return WantedChoice(Offer(tools), "auto")
    choice = decoded(_TOOL_CHOICES, bytes(raw), "tool_choice")
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise not_among("tool_choice", choice, _CHOICES)
        offer = Offer([]) if choice == "none" else Offer(tools)
        if choice == "required" and tools:
            offer = Offer(tools, "")
        return WantedChoice(offer, choice)
    return WantedChoice(_offer(choice, tools), decoded(_VALUES, bytes(raw), "tool_choice"))


def _offer(choice: _Choice, tools: list[Tool]) -> Offer:
    if choice.type in ("function", "custom"):
        if choice.name is None:
            raise missing("tool_choice.name")
        return named_tool(tools, choice.name)
    if choice.type != "allowed_tools":
        return Offer(tools)
    if choice.mode not in _MODES:
        raise not_among("tool_choice.mode", choice.mode or "", _MODES)
    names = {tool.name for tool in choice.tools or ()}
    left = [tool for tool in tools if tool.name in names]
    return Offer(left, "" if choice.mode == "required" and left else None)
