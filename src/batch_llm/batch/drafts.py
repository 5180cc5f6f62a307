"""Chunks that wait to be submitted, and the most that each can cost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..base import PricedModel, TokenBound
from ..exceptions import ConfigurationError, InputError
from ..llm_strategies.token_bounds import (
    REQUEST_TOKENS,
    bound_of,
    check_texts,
    most_output_tokens,
    size_of_json,
)
from ..pricing import limits_of, most_usd
from ..wire.custom_ids import new_nonce
from ..wire.embedding import EmbeddingText
from .chunking import Chunk, ChunkLimits, SizedJob, chunked
from .plan import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..base import Job
    from ..base.request import LLMRequest
    from ..providers import BatchClient
    from .job_book import JobBook
_DIGITS_OF_A_PLACE: Final = 6
"""An id that is made of the job's place in its chunk is longer by so many bytes at the most."""


@dataclass(slots=True)
class Draft:
    """Jobs that wait for their remote batch.

    Attributes:
        chunk: the jobs.
        usd: what each can cost at the most, in their order; None where nothing bounds it.
    """

    chunk: Chunk
    usd: list[float | None] = field(default_factory=list)

    @property
    def reserved_usd(self) -> float | None:
        """The most that all of them can cost; None where nothing bounds it."""
        known = [each for each in self.usd if each is not None]
        return sum(known) if len(known) == len(self.usd) else None

    def candidate(self, number: int) -> Candidate:
        """Return it for `plan`, under a number of the caller's."""
        return Candidate(
            number,
            self.chunk.provider,
            self.chunk.model,
            self.chunk.input_tokens,
            self.reserved_usd,
        )


def drafts_of(
    job_ids: Iterable[str],
    book: JobBook,
    client: Callable[[str], BatchClient],
    refuse: Callable[[str, str], None],
    items_per_batch: int | None = None,
) -> list[Draft]:
    """Return jobs in chunks, as their providers take them.

    Args:
        job_ids: of jobs that are pending.
        book: has the jobs.
        client: opens that of a provider.
        refuse: told of a job that cannot be sent, and why; it is in no chunk.
        items_per_batch: jobs in one remote batch at most.

    Raises:
        ConfigurationError: for a model that no provider is known for, or a client that cannot be
            made.
    """
    usd: dict[str, float | None] = {}

    def sized() -> Iterator[SizedJob]:
        for job_id in job_ids:
            job = book.job(job_id)
            try:
                found, usd[job_id] = size_of(job, book, client)
            except InputError as error:
                refuse(job_id, str(error))
                continue
            yield found

    def limits(job: SizedJob) -> ChunkLimits:
        most = client(job.provider).limits
        return ChunkLimits(most.requests, most.body_bytes)

    chunks = chunked(
        sized(),
        limits,
        items_per_batch=items_per_batch,
        refuse=lambda job, why: refuse(job.id, why),
    )
    return [Draft(chunk, [usd.pop(job_id) for job_id in chunk.job_ids]) for chunk in chunks]


def size_of(
    job: Job, book: JobBook, client: Callable[[str], BatchClient]
) -> tuple[SizedJob, float | None]:
    """Return what a job takes of a batch, and the most that it can cost in USD.

    Raises:
        InputError: if its provider cannot be asked this.
    """
    line, provider = book.line(job), client(book.route(job).provider)
    endpoint = provider.endpoint_for(line.request)
    ids = provider.custom_ids([job.id], new_nonce())
    encoded = provider.encode(line, ids, endpoint)
    size = len(encoded) + _DIGITS_OF_A_PLACE
    priced = PricedModel(provider.provider, line.model)
    bound = _bound(line.request, encoded, priced)
    sized = SizedJob(
        job.id, book.route(job).provider, line.model, endpoint, size, bound.input_tokens
    )
    return sized, most_usd(priced, bound, lane="batch")


def cut_to_budget(draft: Draft, left_usd: float) -> tuple[Draft, Draft] | None:
    """Return the jobs of a draft that surely cost no more than `left_usd`, and the others.

    None where that is not the first of them, or it is all, or nothing bounds what one costs.
    """
    kept, sum_usd = 0, 0.0
    for usd in draft.usd:
        if usd is None or sum_usd + usd > left_usd:
            break
        kept, sum_usd = kept + 1, sum_usd + usd
    if kept in (0, len(draft.usd)):
        return None
    return _part(draft, slice(0, kept)), _part(draft, slice(kept, None))


def _part(draft: Draft, which: slice) -> Draft:
    whole = draft.chunk
    job_ids = whole.job_ids[which]
    share = len(job_ids) / len(whole.job_ids)
    part = Chunk(
        whole.provider,
        whole.model,
        whole.endpoint,
        job_ids,
        round(whole.encoded_bytes * share),
        round(whole.input_tokens * share),
    )
    return Draft(part, draft.usd[which])


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
