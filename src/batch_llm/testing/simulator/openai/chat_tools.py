"""The tools of a chat completion, and which of them the model must use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from ..call import Tool
from ..decoding import is_given
from ..tokens import count_json, count_text
from .body import check_length, check_name
from .refusal import RefusedError, missing, not_among
from .schemas import fault_of, schema_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_TOOLS: Final = 128
_CHOICES: Final = ("none", "auto", "required")
_MODES: Final = ("auto", "required")
_TYPES: Final = ("function", "custom")


class FunctionTool(msgspec.Struct):
    """A function that is offered."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw(b"")
    strict: bool | None = None


class _CustomTool(msgspec.Struct):
    name: str
    description: str | None = None
    format: msgspec.Raw = msgspec.Raw(b"")


class ChatTool(msgspec.Struct):
    """A tool that is offered, as the client sends it."""

    type: str
    function: FunctionTool | None = None
    custom: _CustomTool | None = None


class _Named(msgspec.Struct):
    name: str


class _AllowedTool(msgspec.Struct):
    type: str = "function"
    function: _Named | None = None


class _AllowedTools(msgspec.Struct):
    mode: str
    tools: list[_AllowedTool]


class ToolChoice(msgspec.Struct):
    """A choice that names tools."""

    type: str
    function: _Named | None = None
    custom: _Named | None = None
    allowed_tools: _AllowedTools | None = None


def read_tools(tools: Sequence[ChatTool] | None) -> tuple[list[Tool], int]:
    """Return the tools, and the tokens of their names, descriptions and schemas.

    Raises:
        RefusedError: for a tool that cannot be.
    """
    if tools is None:
        return [], 0
    check_length("tools", tools, 1, MOST_TOOLS)
    read = [_read_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    return [tool for tool, _ in read], sum(tokens for _, tokens in read)


def _read_tool(tool: ChatTool, param: str) -> tuple[Tool, int]:
    if tool.type not in _TYPES:
        raise not_among(f"{param}.type", tool.type, _TYPES)
    if tool.type == "custom":
        if tool.custom is None:
            raise missing(f"{param}.custom")
        name, description = tool.custom.name, tool.custom.description
        check_name(f"{param}.custom.name", name)
        tokens = count_text(name) + count_text(description or "") + count_json(tool.custom.format)
        return Tool(name, {"type": "object"}), tokens
    if tool.function is None:
        raise missing(f"{param}.function")
    return read_function(tool.function, f"{param}.function")


def read_function(function: FunctionTool, param: str) -> tuple[Tool, int]:
    """Return a function, and its tokens; `param` is where it stands.

    Raises:
        RefusedError: for a name or a schema that cannot be.
    """
    check_name(f"{param}.name" if param else "name", function.name)
    tokens = count_text(function.name) + count_text(function.description or "")
    raw = function.parameters
    where = f"{param}.parameters" if param else "parameters"
    if not is_given(raw):
        return Tool(function.name, {"type": "object", "properties": {}}), tokens
    if (fault := fault_of(raw, where, bool(function.strict))) is not None:
        message = f"Invalid schema for function '{function.name}': {fault}"
        raise RefusedError(message, param=where, code="invalid_function_parameters")
    return Tool(function.name, schema_of(raw, where)), tokens + count_json(raw)


def custom_names(tools: Sequence[ChatTool] | None) -> frozenset[str]:
    """Return the names of the tools that take free text."""
    return frozenset(tool.custom.name for tool in tools or () if tool.custom is not None)


class Offer(NamedTuple):
    """The tools that the model may use.

    Attributes:
        tools: all of them.
        forced: the one that it must use; "" is any of them, None is no duty.
    """

    tools: list[Tool]
    forced: str | None = None


def offered(tools: list[Tool], choice: str | ToolChoice | None) -> Offer:
    """Return what a choice leaves of the tools.

    Raises:
        RefusedError: for a choice that does not fit the tools.
    """
    if choice is None or choice == "auto":
        return Offer(tools)
    if not tools and choice != "none":
        message = "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are "
        raise RefusedError(message + "specified.", param="tool_choice")
    if isinstance(choice, str):
        if choice not in _CHOICES:
            raise not_among("tool_choice", choice, _CHOICES)
        return Offer([]) if choice == "none" else Offer(tools, "")
    if choice.type == "allowed_tools" and choice.allowed_tools is not None:
        return _allowed(tools, choice.allowed_tools)
    named = choice.function if choice.type == "function" else choice.custom
    if named is None:
        raise missing(f"tool_choice.{choice.type}")
    return named_tool(tools, named.name)


def named_tool(tools: list[Tool], name: str) -> Offer:
    """Return the tools, of which the named one must be used.

    Raises:
        RefusedError: if there is none of this name.
    """
    if all(tool.name != name for tool in tools):
        message = f"Tool choice '{name}' not found in 'tools' parameter."
        raise RefusedError(message, param="tool_choice")
    return Offer(tools, name)


def _allowed(tools: list[Tool], allowed: _AllowedTools) -> Offer:
    if allowed.mode not in _MODES:
        raise not_among("tool_choice.allowed_tools.mode", allowed.mode, _MODES)
    names = {tool.function.name for tool in allowed.tools if tool.function is not None}
    left = [tool for tool in tools if tool.name in names]
    return Offer(left, "" if allowed.mode == "required" and left else None)
