"""What a call counts against each limit, by the rules of its provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..call import ModelCall, Usage
    from .admission import Measure


def held_by(call: ModelCall) -> dict[Measure, int]:
    """Return what a call counts while it runs: what it sent, and what it may use at most.

    OpenAI counts the most output tokens that the call names, for each of its choices, and none
    where it names none. The others count output as it is made, whatever the call names.
    """
    sent = _counted_input(call, call.input_tokens, call.cached_input_tokens)
    most = (call.max_output_tokens or 0) * call.choices if call.provider == "openai" else 0
    return {"requests": 1, "tokens": sent + most, "input_tokens": sent, "output_tokens": 0}


def used_by(call: ModelCall, usage: Usage) -> dict[Measure, int]:
    """Return the tokens that a call counts once it is answered; at Gemini input alone."""
    sent = _counted_input(call, usage.input_tokens, usage.cached_input_tokens)
    made = usage.output_tokens
    together = sent if call.provider == "gemini" else sent + made
    return {"tokens": together, "input_tokens": sent, "output_tokens": made}


def _counted_input(call: ModelCall, tokens: int, cached: int) -> int:
    """Return the input tokens that count: at Anthropic without those that a cache gave."""
    return tokens - cached if call.provider == "anthropic" else tokens
