"""What jobs take of a batch: money, room and tokens."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, TypeAlias

from ...base import PricedModel, TextPart, TokenBound
from ...base.token_estimate import estimate_tokens
from ...exceptions import ConfigurationError
from ...llm_strategies.token_bounds import (
    MESSAGE_TOKENS,
    REQUEST_TOKENS,
    bound_of,
    check_texts,
    expected_tokens,
    most_output_tokens,
    size_of_json,
)
from ...pricing import limits_of
from ...wire.custom_ids import new_nonce
from ...wire.embedding import EmbeddingText
from .chunking import SizedJob

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...base import Job, Message
    from ...base.request import LLMRequest
    from ...providers import BatchClient
    from ..jobs.job_book import JobBook

_DIGITS_OF_A_PLACE: Final = 6
"""An id that is made of the job's place in its chunk is longer by so many bytes at the most."""
_UNBOUNDED: Final = math.inf
_TIMES_EXPECTED: Final = 2
"""So many times the tokens that are expected count as enqueued: languages differ."""

JobSize: TypeAlias = tuple[float, int, int]
"""What a job takes of a batch: the most that it can cost in USD, infinity where nothing bounds it
or no price is known; the tokens that it counts as enqueued; the most input tokens that it can have.

No object: there may be a hundred thousand of them, and the garbage collector, which stops all
threads, passes over tuples of numbers.
"""


class JobSizer:
    """Tells what jobs take of a batch, as their providers encode them.

    Args:
        book: has the jobs.
        client: opens that of a provider.
    """

    def __init__(self, book: JobBook, client: Callable[[str], BatchClient]) -> None:
        self._book = book
        self._client = client
        self._nonce = new_nonce()

    def size_of(self, job: Job) -> tuple[SizedJob, JobSize]:
        """Return what a job takes of a batch; its file is read.

        Raises:
            InputError: if its provider cannot be asked this.
        """
        route, line = self._book.route(job), self._book.line(job)
        client = self._client(route.provider)
        endpoint = client.endpoint_for(line.request)
        encoded = client.encode(line, client.custom_ids((job.id,), self._nonce), endpoint)
        priced = PricedModel(client.provider, route.model)
        bound = _bound(line.request, encoded, priced)
        sized = SizedJob(
            job.id,
            route.provider,
            route.model,
            endpoint,
            len(encoded) + _DIGITS_OF_A_PLACE,
            _enqueued(line.request, bound.input_tokens),
        )
        most = client.most_usd(line, bound)
        usd = _UNBOUNDED if most is None else most
        return sized, (usd, sized.input_tokens, bound.input_tokens)


def _bound(request: LLMRequest | EmbeddingText, encoded: bytes, priced: PricedModel) -> TokenBound:
    if isinstance(request, EmbeddingText):
        return TokenBound(size_of_json(encoded) + REQUEST_TOKENS, 0)
    most = request.max_output_tokens or most_output_tokens(priced)
    bound = bound_of(size_of_json(encoded), request, most)
    try:
        check_texts(request, takes_text_files=True)
    except ConfigurationError:
        # Bytes of images and PDFs bound no tokens. What the model takes in at the most does.
        limits = limits_of(priced.provider, priced.model)
        if limits is None:
            return TokenBound(bound.input_tokens, None)
        return TokenBound(max(bound.input_tokens, limits.context_tokens), most)
    return bound


def _enqueued(request: LLMRequest | EmbeddingText, most: int) -> int:
    """Return what a request counts as enqueued: more than expected, and no more than `most`.

    A bound would leave most of a provider's queue empty, and to be refused once costs nothing but
    time. What is no text counts with its bound.
    """
    if isinstance(request, EmbeddingText):
        return min(most, _TIMES_EXPECTED * estimate_tokens(request.text))
    if not all(_is_text(turn) for turn in request.messages):
        return most
    around = MESSAGE_TOKENS * len(request.messages)
    return min(most, _TIMES_EXPECTED * expected_tokens(request) + around)


def _is_text(turn: Message) -> bool:
    content = turn.content
    return isinstance(content, str) or all(isinstance(part, TextPart) for part in content)
