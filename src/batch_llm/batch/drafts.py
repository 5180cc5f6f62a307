"""Chunks that wait to be submitted, and the most that each can cost."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

from ..base import PricedModel, TextPart, TokenBound
from ..base.token_estimate import estimate_tokens
from ..exceptions import ConfigurationError, InputError
from ..llm_strategies.token_bounds import (
    MESSAGE_TOKENS,
    REQUEST_TOKENS,
    bound_of,
    check_texts,
    expected_tokens,
    most_output_tokens,
    size_of_json,
)
from ..pricing import limits_of
from ..wire.custom_ids import new_nonce
from ..wire.embedding import EmbeddingText
from .chunking import Chunk, ChunkLimits, SizedJob, chunked
from .plan import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..base import Job, Message
    from ..base.request import LLMRequest
    from ..providers import BatchClient
    from .job_book import JobBook

_DIGITS_OF_A_PLACE: Final = 6
"""An id that is made of the job's place in its chunk is longer by so many bytes at the most."""
_UNBOUNDED: Final = math.inf
_TIMES_EXPECTED: Final = 2
"""So many times the tokens that are expected count as enqueued: languages differ."""


@dataclass(slots=True, eq=False)
class Draft:
    """Jobs that wait for their remote batch. Some 24 bytes a job, and no encoding.

    Attributes:
        chunk: the jobs.
        usd: what each can cost at the most, in their order; infinity where nothing bounds it.
        tokens: what each counts as enqueued.
        most_input_tokens: that all of them can have.
    """

    chunk: Chunk
    usd: array[float] = field(default_factory=lambda: array("d"))
    tokens: array[int] = field(default_factory=lambda: array("q"))
    most_input_tokens: int = 0

    @property
    def reserved_usd(self) -> float | None:
        """The most that all of them can cost; None where nothing bounds it."""
        together = math.fsum(self.usd)
        return together if math.isfinite(together) else None

    def candidate(self, number: int) -> Candidate:
        """Return it for `plan`, under a number of the caller's."""
        return Candidate(
            number,
            self.chunk.provider,
            self.chunk.model,
            self.chunk.input_tokens,
            self.reserved_usd,
        )


JobSize: TypeAlias = tuple[float, int, int]
"""What a job takes of a batch: the most that it can cost in USD, infinity where nothing bounds it
or no price is known; the tokens that it counts as enqueued; the most input tokens that it can have.

No object: there may be a hundred thousand of them, and the garbage collector, which stops all
threads, passes over tuples of numbers.
"""


EnqueuedTokens: TypeAlias = "Callable[[str, str], int | None]"
"""Gives, for a provider and a model, the input tokens that it may have enqueued, or None."""


def drafts_of(
    job_ids: Iterable[str],
    book: JobBook,
    client: Callable[[str], BatchClient],
    refuse: Callable[[str, str], None],
    items_per_batch: int | None = None,
    max_enqueued_tokens: EnqueuedTokens = lambda _provider, _model: None,
) -> Iterator[Draft]:
    """Yield jobs in chunks, as their providers take them, each as soon as it is full.

    No encoding is kept, whatever the jobs are: one is encoded here for its size, and once more when
    it is sent.

    Args:
        job_ids: of jobs that are pending.
        book: has the jobs.
        client: opens that of a provider.
        refuse: told of a job that cannot be sent, and why; it is in no chunk.
        items_per_batch: jobs in one remote batch at most.
        max_enqueued_tokens: what a provider's model may have enqueued; by default no limit.

    Raises:
        ConfigurationError: for a model that no provider is known for, or a client that cannot be
            made.
    """
    sizer = JobSizer(book, client)
    sizes: dict[str, JobSize] = {}

    def sized() -> Iterator[SizedJob]:
        for job_id in job_ids:
            try:
                job, sizes[job_id] = sizer.size_of(book.job_to_send(job_id))
            except InputError as error:
                refuse(job_id, str(error))
                continue
            yield job

    @cache
    def limits(provider: str, model: str) -> ChunkLimits:
        most = client(provider).limits
        return ChunkLimits(most.requests, most.body_bytes, max_enqueued_tokens(provider, model))

    def refuse_sized(job: SizedJob, why: str) -> None:
        del sizes[job.id]
        refuse(job.id, why)

    chunks = chunked(
        sized(),
        lambda job: limits(job.provider, job.model),
        items_per_batch=items_per_batch,
        refuse=refuse_sized,
    )
    for chunk in chunks:
        yield _draft(chunk, [sizes.pop(job_id) for job_id in chunk.job_ids])


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


def cut_to_budget(draft: Draft, left_usd: float) -> tuple[Draft, Draft] | None:
    """Return jobs of a draft that surely cost no more than `left_usd` together, and the others.

    Each goes that still fits, in their order: a dear one holds up none after it. None where that is
    none of them, or all.
    """
    kept, others, sum_usd = list[int](), list[int](), 0.0
    for place, usd in enumerate(draft.usd):
        if sum_usd + usd > left_usd:
            others.append(place)
        else:
            kept.append(place)
            sum_usd += usd
    if not kept or not others:
        return None
    return _part(draft, kept), _part(draft, others)


def _draft(chunk: Chunk, sizes: list[JobSize]) -> Draft:
    usd, tokens, most_input_tokens = zip(*sizes, strict=True)
    return Draft(chunk, array("d", usd), array("q", tokens), sum(most_input_tokens))


def _part(draft: Draft, places: list[int]) -> Draft:
    whole, share = draft.chunk, len(places) / len(draft.usd)
    tokens = array("q", [draft.tokens[place] for place in places])
    part = Chunk(
        whole.provider,
        whole.model,
        whole.endpoint,
        [whole.job_ids[place] for place in places],
        round(whole.encoded_bytes * share),
        sum(tokens),
    )
    usd = array("d", [draft.usd[place] for place in places])
    return Draft(part, usd, tokens, round(draft.most_input_tokens * share))


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
