"""Probabilities of the tokens of an answer: the simulator is always sure."""

from __future__ import annotations

from typing import Any

from .pieces import pieces_of


def logprobs_of(text: str, alternatives: int) -> list[dict[str, Any]]:
    """Return an entry for each token of a text, with itself as the only alternative.

    Args:
        text: of the answer, or of a piece of it.
        alternatives: wanted for each token; 0 tells none.
    """
    told: list[dict[str, Any]] = []
    for piece in pieces_of(text):
        token = {"token": piece, "logprob": 0.0, "bytes": list(piece.encode())}
        told.append({**token, "top_logprobs": [token] if alternatives else []})
    return told
