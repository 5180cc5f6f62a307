"""What a source says, as an answer: the same for all sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....base.json_text import as_json
from ..call import Answer

if TYPE_CHECKING:
    from ..call import ModelCall, Tool


def answer_of(said: object, call: ModelCall) -> Answer:
    """Return what was said as an answer to `call`.

    Args:
        said: an `Answer`, which is taken as it is; a text, which is answered word by word; or any
            other JSON value or pydantic model, which is answered as compact JSON.
        call: what was asked.

    Raises:
        TypeError: for a value that JSON has no words for.
    """
    if isinstance(said, Answer):
        return said
    return Answer(said) if isinstance(said, str) else json_answer(said, call)


def json_answer(value: object, call: ModelCall) -> Answer:
    """Return a JSON value, a text in quotes included, as an answer to `call`.

    Where a tool must be asked for, an object becomes its arguments.

    Raises:
        TypeError: for a value that JSON has no words for.
    """
    text = as_json(value).decode()
    tool = forced_tool(call)
    if tool is not None and text.startswith("{"):
        return Answer(text, "tool_call", tool.name)
    return Answer(text)


def forced_tool(call: ModelCall) -> Tool | None:
    """Return the tool that the model must ask for; the first, where any of them will do.

    None where it need not ask for any, or knows none of that name.
    """
    wanted = call.forced_tool
    if wanted is None:
        return None
    return next((tool for tool in call.tools if wanted in ("", tool.name)), None)
