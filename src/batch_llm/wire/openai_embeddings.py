"""OpenAI's Embeddings: one text in, one vector out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from ..base.usage import complete_usage
from ..exceptions import MalformedAnswerError
from .answer import decoded
from .embedding import Embedding
from .http_errors import error_details, short_message
from .openai_errors import error_from_code

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .embedding import EmbeddingText


def encode_embedding(asked: EmbeddingText, model: str) -> dict[str, object]:
    """Return the JSON-ready body that asks `model` for the vector of a text."""
    body: dict[str, object] = {"model": model, "input": asked.text}
    if asked.dimensions is not None:
        body["dimensions"] = asked.dimensions
    return body


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    total_tokens: int | None = None


class _Vector(msgspec.Struct):
    embedding: list[float]


class _Answer(msgspec.Struct):
    data: list[_Vector] | None = None
    model: str | None = None
    usage: _Usage | None = None
    error: Any = None


_ANSWERS = msgspec.json.Decoder(_Answer, strict=False)


def decode_embedding(body: bytes, *, private: Iterable[str] = ()) -> Embedding:
    """Return the vector in the body of a 2xx response.

    Raises:
        MalformedAnswerError: if the body is not whole JSON of the right form, or holds no vector.
        ProviderError: of the kind that fits, if it reports an error in spite of its status.
    """
    answer = decoded(_ANSWERS, body, "an embedding", beside=("usage", "model"))
    if answer.error:
        message, code = error_details({"error": answer.error})
        said = short_message(message, private) or "without a message"
        raise error_from_code(code, f"The answer reports an error: {said}")
    if not answer.data:
        raise MalformedAnswerError("The answer holds no vector.")
    usage = answer.usage or _Usage()
    tokens = complete_usage(
        {"input_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens}
    )
    return Embedding(answer.data[0].embedding, tokens, answer.model)
