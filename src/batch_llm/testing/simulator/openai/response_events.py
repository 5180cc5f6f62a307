"""The events by which a response is streamed."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from ..exchange import event
from .logprobs import logprobs_of
from .pieces import pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator

Event = tuple[str, dict[str, Any]]
"""Its type, and its fields but for the type and the number."""


def events_of(response: dict[str, Any], after: int = -1) -> list[bytes]:
    """Return the events that lead to a response.

    Args:
        response: as it is at the end.
        after: number of the last event that is left out; -1 leaves out none.
    """
    numbered = zip(itertools.count(), _events(response))
    return [
        event({"type": kind, "sequence_number": number, **fields}, kind)
        for number, (kind, fields) in numbered
        if number > after
    ]


def _events(response: dict[str, Any]) -> Iterator[Event]:
    begun = {
        **response,
        "status": "in_progress",
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "output": [],
        "usage": None,
    }
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(response["output"]):
        yield from _of_item(item, index)
    yield f"response.{response['status']}", {"response": response}


def _of_item(item: dict[str, Any], index: int) -> Iterator[Event]:
    empty = dict(item)
    where = {"item_id": item["id"], "output_index": index}
    inner: Iterator[Event] = iter(())
    if item["type"] == "message":
        empty["content"] = []
        inner = _of_part(item["content"][0], {**where, "content_index": 0})
    elif item["type"] == "function_call":
        empty["arguments"] = ""
        inner = _of_text("response.function_call_arguments", "arguments", item["arguments"], where)
    elif item["type"] == "custom_tool_call":
        empty["input"] = ""
        inner = _of_text("response.custom_tool_call_input", "input", item["input"], where)
    if "status" in item:
        empty["status"] = "in_progress"
    yield "response.output_item.added", {"output_index": index, "item": empty}
    yield from inner
    yield "response.output_item.done", {"output_index": index, "item": item}


def _of_part(part: dict[str, Any], where: dict[str, Any]) -> Iterator[Event]:
    is_refusal = part["type"] == "refusal"
    empty = {**part, "refusal": ""} if is_refusal else {**part, "text": "", "logprobs": []}
    yield "response.content_part.added", {**where, "part": empty}
    if is_refusal:
        yield from _of_text("response.refusal", "refusal", part["refusal"], where)
    else:
        yield from _of_output_text(part, where)
    yield "response.content_part.done", {**where, "part": part}


def _of_output_text(part: dict[str, Any], where: dict[str, Any]) -> Iterator[Event]:
    logprobs = part["logprobs"]
    alternatives = len(logprobs[0]["top_logprobs"]) if logprobs else 0
    for piece in pieces_of(part["text"]):
        told = logprobs_of(piece, alternatives) if logprobs else []
        yield "response.output_text.delta", {**where, "delta": piece, "logprobs": told}
    yield "response.output_text.done", {**where, "text": part["text"], "logprobs": logprobs}


def _of_text(prefix: str, field: str, text: str, where: dict[str, Any]) -> Iterator[Event]:
    for piece in pieces_of(text):
        yield f"{prefix}.delta", {**where, "delta": piece}
    yield f"{prefix}.done", {**where, field: text}
