"""What an answer of Gemini holds, read from the SDK's `GenerateContentResponse`.

Fields are read by name, and a missing one is None: a stand-in needs only those it is about.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from ...base.usage import complete_usage
from ...exceptions import (
    AnswerError,
    MalformedAnswerError,
    OutputTruncatedError,
    RefusalError,
)
from ...wire.gemini import DECLINED, TRUNCATED

if TYPE_CHECKING:
    from ...base.usage import TokenUsage


def usage_of(response: object) -> TokenUsage:
    """Return the tokens billed: thoughts are output, results of tools are input."""
    counts = getattr(response, "usage_metadata", None)

    def count(name: str) -> int:
        value = getattr(counts, f"{name}_token_count", None)
        return value if isinstance(value, int) else 0

    return complete_usage(
        {
            "input_tokens": count("prompt") + count("tool_use_prompt"),
            "output_tokens": count("candidates") + count("thoughts"),
            "total_tokens": count("total"),
            "cached_input_tokens": count("cached_content"),
            "reasoning_tokens": count("thoughts"),
        }
    )


def finish_reason_of(response: object) -> str | None:
    """Return why the answer ended, in Google's word."""
    return _word(getattr(_candidate(response), "finish_reason", None))


def safety_ratings_of(response: object) -> dict[str, str] | None:
    """Return the probability by harm category, of the answer or else of the prompt."""
    for holder in (_candidate(response), getattr(response, "prompt_feedback", None)):
        ratings = getattr(holder, "safety_ratings", None)
        if isinstance(ratings, (list, tuple)) and ratings:
            pairs = ((_word(r.category), _word(r.probability)) for r in ratings)
            return {category or "": probability or "" for category, probability in pairs}
    return None


def check_answer(response: object, *, wants_json: bool) -> None:
    """Refuse an answer that no parser could use.

    Args:
        response: the SDK's response.
        wants_json: whether a cut answer is of no use.

    Raises:
        RefusalError: if the prompt or the answer was blocked.
        OutputTruncatedError: if the token limit cut JSON, or left no word.
        MalformedAnswerError: if there is no candidate, or one without content.
    """
    reason = finish_reason_of(response)
    if reason in DECLINED:
        _reject(RefusalError, f"Gemini declined to answer ({reason}).", response, reason)
    has_content = _has_content(response)
    if reason == TRUNCATED and (wants_json or not has_content):
        _reject(OutputTruncatedError, _truncated(response), response, reason)
    if has_content:
        return
    blocked = _word(getattr(getattr(response, "prompt_feedback", None), "block_reason", None))
    if blocked:
        _reject(RefusalError, f"Gemini blocked the prompt ({blocked}).", response, blocked)
    message = f"Gemini's answer is empty (finish reason {reason})."
    _reject(MalformedAnswerError, message, response, reason)


def text_of(response: object) -> str:
    """Return the answer's text.

    Raises:
        MalformedAnswerError: if it has none (a call of a function, an image).
    """
    text = getattr(response, "text", None)
    if not isinstance(text, str):
        reason = finish_reason_of(response)
        message = f"Gemini's answer holds no text (finish reason {reason})."
        _reject(MalformedAnswerError, message, response, reason)
    return text


def _candidate(response: object) -> object:
    candidates = getattr(response, "candidates", None)
    return candidates[0] if isinstance(candidates, (list, tuple)) and candidates else None


def _has_content(response: object) -> bool:
    parts = getattr(getattr(_candidate(response), "content", None), "parts", None)
    return bool(parts or getattr(response, "text", None))


def _word(value: Any) -> str | None:
    """Return an SDK's enum, or a plain word, as the word."""
    word = getattr(value, "value", value)
    return word if isinstance(word, str) else None


def _truncated(response: object) -> str:
    spent = usage_of(response).get("output_tokens", 0)
    return (
        f"Gemini stopped at the token limit after {spent} output tokens, before its answer was "
        f"complete. Raise max_output_tokens; thinking counts towards it."
    )


def _reject(kind: type[AnswerError], message: str, response: object, code: str | None) -> NoReturn:
    identity = getattr(response, "response_id", None)
    request_id = identity if isinstance(identity, str) else None
    raise kind(message, code=code, request_id=request_id)
