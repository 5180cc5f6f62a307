"""The message that goes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..decoding import UNREADABLE
from ..faults import FaultKind
from .citations import cited_blocks

if TYPE_CHECKING:
    from ..call import Ending, Usage
    from ..ids import Ids
    from ..serving import Outcome
    from .prompt_cache import CacheUse
    from .reader import Asked

_STOP_REASONS: Final[dict[Ending, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
    "safety": "refusal",
    "tool_call": "tool_use",
}
# No source of answers tells what a model thought, only how many tokens it took.
_THOUGHT: Final = "Let me think about what is asked here."
_ARGUMENTS: Final = msgspec.json.Decoder(dict[str, Any])


def encode_message(asked: Asked, outcome: Outcome, ids: Ids) -> dict[str, Any]:
    """Return the message, JSON-ready."""
    answer = outcome.said
    return {
        "id": ids.letters("msg_01", 22),
        "type": "message",
        "role": "assistant",
        "model": asked.model.id,
        "content": _content(asked, outcome, ids),
        "stop_reason": _STOP_REASONS[answer.ending],
        "stop_sequence": answer.stopped_by if answer.ending == "stop_sequence" else None,
        "stop_details": _stop_details(answer.ending),
        "container": None,
        "diagnostics": None,
        "usage": _encode_usage(outcome.usage, asked.cache, outcome.call.lane),
    }


def _encode_usage(usage: Usage, cache: CacheUse, lane: str) -> dict[str, Any]:
    """Return the tokens billed: those of the input that no cache gave or took stand apart."""
    thought = usage.reasoning_tokens
    return {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": cache.written_5m_tokens,
            "ephemeral_1h_input_tokens": cache.written_1h_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": thought} if thought else None,
        "server_tool_use": None,
        "service_tier": "batch" if lane == "batch" else "standard",
        "inference_geo": "not_available",
        "speed": None,
    }


def _content(asked: Asked, outcome: Outcome, ids: Ids) -> list[dict[str, Any]]:
    answer = outcome.said
    if outcome.has(FaultKind.EMPTY):
        return []
    blocks = _thoughts(asked, outcome, ids)
    if answer.ending == "tool_call" or answer.tool is not None:
        blocks.append(_tool_use(outcome, ids))
    elif answer.text and asked.cites and answer.ending != "refusal":
        blocks.extend(cited_blocks(answer.text, asked.documents))
    elif answer.text:
        blocks.append({"type": "text", "text": answer.text})
    return blocks


def _thoughts(asked: Asked, outcome: Outcome, ids: Ids) -> list[dict[str, Any]]:
    """Return the block of thinking, if any: with a budget the model always thinks."""
    thinking = asked.thinking
    if thinking is None or outcome.said.ending in ("refusal", "safety"):
        return []
    if thinking.type == "adaptive" and not outcome.said.reasoning_tokens:
        return []
    shown = "" if thinking.display == "omitted" else _THOUGHT
    return [{"type": "thinking", "thinking": shown, "signature": ids.letters("Eq", 86)}]


def _tool_use(outcome: Outcome, ids: Ids) -> dict[str, Any]:
    answer, call = outcome.said, outcome.call
    name = answer.tool or call.forced_tool or next((tool.name for tool in call.tools), "")
    return {
        "type": "tool_use",
        "id": ids.letters("toolu_01", 22),
        "name": name,
        "input": _arguments(answer.text),
        "caller": {"type": "direct"},
    }


def _arguments(text: str) -> dict[str, Any]:
    """Return the arguments of a tool; none where the limit cut them."""
    try:
        return _ARGUMENTS.decode(text)
    except UNREADABLE:
        return {}


def _stop_details(ending: Ending) -> dict[str, Any] | None:
    if ending == "refusal":
        return {"type": "refusal", "category": None, "explanation": None}
    if ending == "safety":
        return {
            "type": "refusal",
            "category": "general_harms",
            "explanation": "The request could be related to an area that is not allowed.",
        }
    return None
