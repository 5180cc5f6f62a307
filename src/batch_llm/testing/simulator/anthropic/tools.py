"""The tools that a request brings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..call import Tool
from ..decoding import is_given
from .refusal import RefusedError, missing, not_among
from .schemas import tool_schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .body import Thinking, ToolChoice, ToolSpec

_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def client_tools(specs: Sequence[ToolSpec]) -> Sequence[Tool]:
    """Return the client's own tools; Anthropic's are taken, and never asked for.

    Raises:
        RefusedError: for a tool that the API does not take.
    """
    tools: list[Tool] = []
    for index, spec in enumerate(specs):
        if spec.type not in (None, "custom"):
            continue
        place = f"tools.{index}.custom"
        if spec.name is None:
            raise missing(f"{place}.name")
        if _NAME.fullmatch(spec.name) is None:
            raise RefusedError(f"{place}.name: String should match pattern '^{_NAME.pattern}$'")
        if not is_given(spec.input_schema):
            raise missing(f"{place}.input_schema")
        tools.append(Tool(spec.name, tool_schema(bytes(spec.input_schema), place).value))
    if len({tool.name for tool in tools}) < len(tools):
        raise RefusedError("tools: Tool names must be unique.")
    return tools


def forced_tool(
    choice: ToolChoice | None, specs: Sequence[ToolSpec], thinking: Thinking | None
) -> str | None:
    """Return the tool that must be asked for: "" for any, None where none must.

    Raises:
        RefusedError: for a choice that there is not.
    """
    if choice is None:
        return None
    if choice.type not in ("auto", "any", "tool", "none"):
        raise not_among("tool_choice.type", "auto", "any", "tool", "none")
    if not specs and choice.type != "none":
        raise RefusedError("tool_choice: may only be specified while providing tools")
    if choice.type not in ("any", "tool"):
        return None
    if thinking is not None:
        raise RefusedError("Thinking may not be enabled when tool_choice forces tool use.")
    if choice.type == "any":
        return ""
    if choice.name is None:
        raise missing("tool_choice.tool.name")
    if choice.name not in {spec.name for spec in specs}:
        raise RefusedError(f"Tool '{choice.name}' not found in provided tools")
    return choice.name
