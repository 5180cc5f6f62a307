"""What a Batch API in memory answers."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from ..base.json_text import as_json, without_lone_halves
from ..base.token_estimate import estimate_tokens
from ..base.usage import complete_usage
from ..exceptions import ProviderError
from ..wire.batch_item import BatchAnswer, answer_failed
from ..wire.embedding import EmbeddingText

if TYPE_CHECKING:
    from ..wire.batch_item import BatchOutcome, BatchRequestLine

MockAnswer: TypeAlias = str | BatchAnswer | Exception | None
"""What becomes of a request: a text; a whole answer; an error; None, which is in no results."""

_VECTOR_PLACES: Final = 8


def echo(line: BatchRequestLine) -> BatchAnswer:
    """Return the question as the answer; of a text to embed, a vector made of its digest."""
    request = line.request
    if isinstance(request, EmbeddingText):
        return BatchAnswer(
            custom_id=line.custom_id,
            outcome="succeeded",
            embedding=_vector(request.text, request.dimensions or _VECTOR_PLACES),
            usage=complete_usage({"input_tokens": max(1, estimate_tokens(request.text))}),
            model=line.model,
        )
    text = request.messages[-1].text
    return _said(line, text)


def _said(line: BatchRequestLine, text: str) -> BatchAnswer:
    request = line.request
    asked = (
        request.text
        if isinstance(request, EmbeddingText)
        else "\n".join([request.system or "", *(turn.text for turn in request.messages)])
    )
    tokens = {
        "input_tokens": max(1, estimate_tokens(asked)),
        "output_tokens": max(1, estimate_tokens(text)),
    }
    return BatchAnswer(
        custom_id=line.custom_id,
        outcome="succeeded",
        text=text,
        finish_reason="stop",
        usage=complete_usage(tokens),
        model=line.model,
    )


def as_answer(line: BatchRequestLine, told: str | BatchAnswer | Exception) -> BatchAnswer:
    """Return what becomes of a request, with the line that a results file would have of it."""
    answer = _answer(line, told)
    if answer.text is not None:
        # A half of a surrogate pair is read so from a provider's results too.
        answer = replace(answer, text=without_lone_halves(answer.text))
    return _with_raw(answer)


def undone(job_id: str, outcome: BatchOutcome) -> BatchAnswer:
    """Return the end of a request that was not executed."""
    return _with_raw(BatchAnswer(custom_id=job_id, outcome=outcome))


def _answer(line: BatchRequestLine, told: str | BatchAnswer | Exception) -> BatchAnswer:
    if isinstance(told, BatchAnswer):
        return replace(told, custom_id=line.custom_id)
    if isinstance(told, str):
        return _said(line, told)
    if not isinstance(told, ProviderError):
        told = ProviderError(f"{type(told).__name__}: {told}")
    return answer_failed(line.custom_id, b"", told)


def _with_raw(answer: BatchAnswer) -> BatchAnswer:
    told: dict[str, object] = {"custom_id": answer.custom_id, "outcome": answer.outcome}
    if answer.text is not None:
        told["text"] = answer.text
    if answer.error_message is not None:
        told["error"] = answer.error_message
    return replace(answer, raw=answer.raw or as_json(told))


def _vector(text: str, places: int) -> list[float]:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass")).digest()
    return [digest[place % len(digest)] / 255 for place in range(places)]
