"""A message in pieces: the server-sent events of a stream."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..exchange import event
from ..pieces import cut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..call import Usage

_OUTPUT_AT_START: Final = 1
_MOST_DELTAS: Final = 16
_SHORTEST_DELTA: Final = 12
_AT_THE_END: Final = ("stop_reason", "stop_sequence", "stop_details")
_OF_DELTA: Final = (
    "input_tokens",
    "cache_creation_input_tokens",
    "cache_read_input_tokens",
    "output_tokens",
    "output_tokens_details",
    "server_tool_use",
)


def message_events(message: dict[str, Any], arguments: str) -> list[bytes]:
    """Return the events that together make `message`.

    Args:
        message: as it would come in one piece.
        arguments: of the tool that it asks for, as JSON, whole or cut; "" for none.
    """
    pieces = [_started(message), PING]
    for index, block in enumerate(message["content"]):
        pieces.extend(_block_events(index, block, arguments))
    pieces.append(
        _named(
            {
                "type": "message_delta",
                "delta": {
                    "stop_reason": message["stop_reason"],
                    "stop_sequence": message["stop_sequence"],
                    "stop_details": message["stop_details"],
                    "container": message["container"],
                },
                "usage": {name: message["usage"][name] for name in _OF_DELTA},
            }
        )
    )
    pieces.append(_named({"type": "message_stop"}))
    return pieces


def _started(message: dict[str, Any]) -> bytes:
    """Return the first event: the message as it is before its first word."""
    usage = {**message["usage"], "output_tokens": _OUTPUT_AT_START, "output_tokens_details": None}
    start = {**message, **dict.fromkeys(_AT_THE_END), "content": [], "usage": usage}
    return _named({"type": "message_start", "message": start})


def usage_in_events(usage: Usage, events: int) -> list[tuple[int, Usage]]:
    """Return which events tell the usage, and what: the first one, and the last but one.

    Args:
        usage: of the message.
        events: how many there are.
    """
    begun = replace(usage, output_tokens=_OUTPUT_AT_START, reasoning_tokens=0)
    return [(0, begun), (events - 2, usage)]


def failed(error: bytes) -> bytes:
    """Return the event that ends a stream with an error; `error` is the error's body."""
    return event(error, "error")


def _block_events(index: int, block: dict[str, Any], arguments: str) -> Iterator[bytes]:
    yield _named({"type": "content_block_start", "index": index, "content_block": _empty(block)})
    for delta in _deltas(block, arguments):
        yield _named({"type": "content_block_delta", "index": index, "delta": delta})
    yield _named({"type": "content_block_stop", "index": index})


def _empty(block: dict[str, Any]) -> dict[str, Any]:
    """Return a block as it is before its first delta."""
    if block["type"] == "thinking":
        return {**block, "thinking": "", "signature": ""}
    if block["type"] == "tool_use":
        return {**block, "input": {}}
    return {**block, "text": "", **({"citations": []} if "citations" in block else {})}


def _deltas(block: dict[str, Any], arguments: str) -> Iterator[dict[str, Any]]:
    if block["type"] == "thinking":
        for piece in _pieces(block["thinking"]):
            yield {"type": "thinking_delta", "thinking": piece}
        yield {"type": "signature_delta", "signature": block["signature"]}
    elif block["type"] == "tool_use":
        yield {"type": "input_json_delta", "partial_json": ""}
        for piece in _pieces(arguments):
            yield {"type": "input_json_delta", "partial_json": piece}
    else:
        for citation in block.get("citations", ()):
            yield {"type": "citations_delta", "citation": citation}
        for piece in _pieces(block["text"]):
            yield {"type": "text_delta", "text": piece}


def _pieces(text: str) -> list[str]:
    return cut(text, max(_SHORTEST_DELTA, -(-len(text) // _MOST_DELTAS)))


def _named(data: dict[str, Any]) -> bytes:
    return event(data, data["type"])


PING: Final = _named({"type": "ping"})
"""What comes behind the first event of a stream."""
