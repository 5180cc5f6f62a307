"""POST /embeddings."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..call import Answer, ModelCall
from ..exchange import json_response
from ..faults import FaultKind
from ..tokens import count_text
from ..vectors import packed, unit_vector
from .body import check_length
from .endpoint import Asked, ModelEndpoint
from .model_body import ModelBodies, ModelBody
from .model_rules import checked_model
from .refusal import RefusedError, missing, not_among, out_of_range, unrecognized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..call import Sender
    from ..exchange import Response
    from ..serving import Outcome
    from .catalogue import ModelFacts

_MOST_INPUTS: Final = 2_048
_MOST_TOKENS_OF_INPUT: Final = 8_192
_MOST_TOKENS: Final = 300_000
# Between so many inputs, other requests get their turn.
_INPUTS_AT_A_STRETCH: Final = 50
_ENCODINGS: Final = ("float", "base64")
_FIXED_LENGTH: Final = "text-embedding-ada-002"


class _Body(ModelBody):
    input: str | list[str | int | list[int]] | None = None
    dimensions: int | None = None
    encoding_format: str | None = None
    user: str | None = None


def _unknown(names: Sequence[str], _model: str) -> RefusedError:
    return unrecognized(names)


EMBEDDING_BODIES: Final = ModelBodies(_Body, _unknown)


class Embeddings(ModelEndpoint):
    """Answers requests for vectors, live and as lines of batches."""

    def read(self, body: bytes, sender: Sender) -> Asked:
        """Read one body; see `ModelEndpoint.read`. Arrays of token numbers are counted as such."""
        wanted = EMBEDDING_BODIES.read(body, self._world.settings.models)
        facts = checked_model(self._world, wanted.model)
        dimensions = _dimensions(wanted, facts)
        if wanted.encoding_format not in (None, *_ENCODINGS):
            raise not_among("encoding_format", wanted.encoding_format or "", _ENCODINGS)
        inputs = _inputs(wanted.input)
        call = ModelCall(
            provider="openai",
            operation="embeddings",
            model=wanted.model or "",
            key=sender.key,
            messages=[("user", text) for text, _ in inputs],
            input_tokens=_tokens(inputs),
            lane=sender.lane,
            custom_id=sender.custom_id,
            headers=sender.headers,
            identity=self._world.chance.digest("openai embeddings", body),
        )
        encode = _Encoding(facts.snapshot, wanted.encoding_format == "base64").encode
        return Asked(call, encode, _Vectors(facts.snapshot, dimensions))


def _dimensions(wanted: _Body, facts: ModelFacts) -> int:
    most = facts.dimensions
    if most is None:
        message = f"You are not allowed to generate embeddings from this model: {wanted.model}."
        raise RefusedError(message, param="model", status=403)
    if wanted.dimensions is None:
        return most
    if wanted.model == _FIXED_LENGTH:
        raise RefusedError("This model does not support specifying dimensions.")
    if wanted.dimensions < 1:
        raise out_of_range("dimensions", wanted.dimensions, 1, most)
    if wanted.dimensions > most:
        message = (
            f"Invalid value for 'dimensions' = {wanted.dimensions}. "
            f"Must be less than or equal to {most}."
        )
        raise RefusedError(message)
    return wanted.dimensions


def _inputs(given: str | list[str | int | list[int]] | None) -> list[tuple[str, int]]:
    """Return each input as a text, and its tokens.

    Raises:
        RefusedError: for inputs that are empty, too long or too many.
    """
    if given is None:
        raise missing("input")
    if isinstance(given, str):
        return [_input(given)]
    check_length("input", given, 1, _MOST_TOKENS_OF_INPUT)
    numbers = [value for value in given if isinstance(value, int)]
    if len(numbers) == len(given):
        return [_input(numbers)]
    check_length("input", given, 1, _MOST_INPUTS)
    return [_input(value) for value in given]


def _input(value: str | int | list[int]) -> tuple[str, int]:
    if isinstance(value, int) or not value:
        where = "https://platform.openai.com/docs/api-reference"
        raise RefusedError(f"'$.input' is invalid. Please check the API reference: {where}.")
    if isinstance(value, str):
        text, tokens = value, count_text(value)
    else:
        text, tokens = " ".join(map(str, value)), len(value)
    if tokens > _MOST_TOKENS_OF_INPUT:
        message = (
            f"This model's maximum context length is {_MOST_TOKENS_OF_INPUT} tokens, however you "
            f"requested {tokens} tokens ({tokens} in your prompt; 0 for the completion). Please "
            "reduce your prompt; or completion length."
        )
        raise RefusedError(message)
    return text, tokens


def _tokens(inputs: Sequence[tuple[str, int]]) -> int:
    total = sum(tokens for _, tokens in inputs)
    if total > _MOST_TOKENS:
        message = f"Requested {total} tokens, max {_MOST_TOKENS} tokens per request"
        raise RefusedError(message, code="max_tokens_per_request")
    return total


@dataclass(frozen=True, slots=True)
class _Vectors:
    """The model: it gives the same vector to the same text."""

    model: str
    dimensions: int

    async def answer(self, call: ModelCall) -> Answer:
        vectors: list[Sequence[float]] = []
        for number, (_, text) in enumerate(call.messages):
            if number % _INPUTS_AT_A_STRETCH == _INPUTS_AT_A_STRETCH - 1:
                await asyncio.sleep(0)
            vectors.append(unit_vector(self.model, text, self.dimensions))
        return Answer(vectors=vectors)


@dataclass(frozen=True, slots=True)
class _Encoding:
    """How the vectors are written."""

    model: str
    in_base64: bool

    def encode(self, outcome: Outcome) -> Response:
        vectors = () if outcome.has(FaultKind.EMPTY) else outcome.said.vectors or ()
        tokens = outcome.usage.input_tokens
        return json_response(
            {
                "object": "list",
                "data": [
                    {"object": "embedding", "index": index, "embedding": self._written(vector)}
                    for index, vector in enumerate(vectors)
                ],
                "model": self.model,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
            }
        )

    def _written(self, vector: Sequence[float]) -> Any:
        return base64.b64encode(packed(vector)).decode() if self.in_base64 else vector
