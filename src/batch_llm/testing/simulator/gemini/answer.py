"""What `generateContent` gives back, whole or in pieces.

What is set, and when, follows the descriptions in `google.genai.types` (Candidate,
GenerateContentResponsePromptFeedback, GenerateContentResponseUsageMetadata); a zero and an empty
list are left out, as protocol buffers have it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..call import Usage
from ..decoding import UNREADABLE
from ..faults import FaultKind
from ..pieces import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..call import Answer, Ending
    from ..serving import Outcome
    from .reader import Asked

Chunk = dict[str, Any]

_FINISH: Final[dict[Ending, str]] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "stop_sequence": "STOP",
    "refusal": "PROHIBITED_CONTENT",
    "safety": "SAFETY",
    "tool_call": "STOP",
}
_HARMS: Final = (
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
)
_BLOCKING_HARM: Final = "HARM_CATEGORY_DANGEROUS_CONTENT"
_LOG_PROBABILITY: Final = -0.1
_THOUGHTS: Final = "The model thought about the question."
_PIECE_CHARACTERS: Final = 64
_DECODER: Final = msgspec.json.Decoder()


def whole_answer(asked: Asked, outcome: Outcome, response_id: str) -> Chunk:
    """Return the answer in one.

    A refused prompt has no candidate, and says why in `promptFeedback`; an answer that a filter
    withholds is a candidate without content. The reason is the fault's `error_type`, such as
    "RECITATION" or "BLOCKLIST", where it has one.
    """
    answer, chunk = outcome.said, _frame(asked, response_id)
    chunk["usageMetadata"] = _usage(asked, outcome.usage)
    if outcome.has(FaultKind.EMPTY):
        return chunk
    if answer.ending == "refusal":
        chunk["promptFeedback"] = {"blockReason": _reason(outcome)}
        return chunk
    candidate = _candidate(asked, outcome, _parts(asked, answer))
    if asked.model.reports_log_probabilities:
        candidate["avgLogprobs"] = _LOG_PROBABILITY
    chunk["candidates"] = [candidate]
    return chunk


def answer_in_pieces(asked: Asked, outcome: Outcome, response_id: str) -> list[Chunk]:
    """Return the answer in two pieces or more; the last one says how it ended and was billed.

    What has no content comes in one piece.
    """
    answer = outcome.said
    last = whole_answer(asked, outcome, response_id)
    if answer.ending in ("refusal", "safety") or outcome.has(FaultKind.EMPTY):
        return [last]
    *first, end = _cut(_parts(asked, answer))
    last["candidates"] = [_candidate(asked, outcome, [end])]
    return [*(_piece(asked, outcome, response_id, part) for part in first), last]


def _piece(asked: Asked, outcome: Outcome, response_id: str, part: Chunk) -> Chunk:
    prompt_tokens = outcome.usage.input_tokens
    return {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": prompt_tokens,
            "totalTokenCount": prompt_tokens,
            "promptTokensDetails": encoded_tokens(asked.tokens),
        },
        **_frame(asked, response_id),
    }


def usage_in_pieces(usage: Usage, pieces: int) -> list[tuple[int, Usage]]:
    """Return which pieces tell the usage, and what: each the prompt's tokens, the last one all."""
    return [*([(0, Usage(usage.input_tokens))] if pieces > 1 else []), (pieces - 1, usage)]


def _frame(asked: Asked, response_id: str) -> Chunk:
    return {"modelVersion": asked.model.id, "responseId": response_id}


def _reason(outcome: Outcome) -> str:
    """Return why an answer ends, in Google's word."""
    usual = _FINISH[outcome.said.ending]
    return usual if outcome.fault is None else outcome.fault.error_type or usual


def _candidate(asked: Asked, outcome: Outcome, parts: list[Chunk]) -> Chunk:
    reason = _reason(outcome)
    candidate: Chunk = {"finishReason": reason, "index": 0}
    if outcome.said.ending == "safety":
        if reason == _FINISH["safety"]:
            candidate["safetyRatings"] = _ratings(_BLOCKING_HARM)
        return candidate
    content: Chunk = {"role": "model"}
    if parts:
        content["parts"] = parts
    candidate["content"] = content
    if asked.rated:
        candidate["safetyRatings"] = _ratings()
    return candidate


def _parts(asked: Asked, answer: Answer) -> list[Chunk]:
    parts: list[Chunk] = []
    if asked.shows_thoughts and answer.reasoning_tokens:
        parts.append({"text": _THOUGHTS, "thought": True})
    if answer.ending == "tool_call":
        name = answer.tool or ""
        parts.append({"functionCall": {"name": name, "args": _arguments(answer.text)}})
    elif answer.text:
        parts.append({"text": _choice(answer.text) if asked.is_choice else answer.text})
    return parts


def _arguments(text: str) -> dict[str, Any]:
    try:
        value = _DECODER.decode(text or "{}")
    except UNREADABLE:
        value = text
    return value if isinstance(value, dict) else {"value": value}


def _choice(text: str) -> str:
    """Return the word that a JSON string holds, or the text itself."""
    try:
        value = _DECODER.decode(text)
    except UNREADABLE:
        return text
    return value if isinstance(value, str) else text


def _cut(parts: list[Chunk]) -> Iterator[Chunk]:
    """Yield the parts, long texts in pieces; two at least, since the last one ends the stream."""
    *first, last = parts or [{"text": ""}]
    yield from first
    text = last.get("text")
    if text is None:
        yield last
        yield {"text": ""}
        return
    size = min(_PIECE_CHARACTERS, max(1, -(-len(text) // 2)))
    pieces = cut(text, size) or [""]
    yield from ({"text": piece} for piece in pieces)
    if len(pieces) + len(first) < 2:
        yield {"text": ""}


def _ratings(blocking: str | None = None) -> list[Chunk]:
    return [
        {"category": harm, "probability": "HIGH", "blocked": True}
        if harm == blocking
        else {"category": harm, "probability": "NEGLIGIBLE"}
        for harm in _HARMS
    ]


def _usage(asked: Asked, usage: Usage) -> Chunk:
    counts: Chunk = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.input_tokens + usage.output_tokens,
        "cachedContentTokenCount": usage.cached_input_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
        "promptTokensDetails": encoded_tokens(asked.tokens),
        "cacheTokensDetails": encoded_tokens(asked.cached),
    }
    return {name: value for name, value in counts.items() if value}


def encoded_tokens(tokens: Mapping[str, int]) -> list[dict[str, object]]:
    """Return tokens by modality as the API tells them."""
    return [
        {"modality": modality, "tokenCount": count} for modality, count in tokens.items() if count
    ]
