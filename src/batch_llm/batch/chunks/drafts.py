"""Chunks that wait to be submitted, and the most that each can cost."""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

from ...exceptions import InputError
from .chunking import Chunk, ChunkLimits, SizedJob, chunked
from .job_sizer import JobSize, JobSizer
from .plan import Candidate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ...providers import BatchClient
    from ..jobs.job_book import JobBook


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
    sizes = _Sizes(book, client, refuse)
    limits = cache(partial(_limits, client, max_enqueued_tokens))
    chunks = chunked(
        sizes.of(job_ids),
        lambda job: limits(job.provider, job.model),
        items_per_batch=items_per_batch,
        refuse=sizes.refuse,
    )
    for chunk in chunks:
        yield _draft(chunk, sizes.take(chunk.job_ids))


class _Sizes:
    """What jobs take of a batch, from when they are sized until they are in a draft."""

    def __init__(
        self,
        book: JobBook,
        client: Callable[[str], BatchClient],
        refuse: Callable[[str, str], None],
    ) -> None:
        self._book = book
        self._sizer = JobSizer(book, client)
        self._refuse = refuse
        self._waiting: dict[str, JobSize] = {}

    def of(self, job_ids: Iterable[str]) -> Iterator[SizedJob]:
        """Yield jobs with their sizes, without those that their providers cannot be asked."""
        for job_id in job_ids:
            try:
                job, self._waiting[job_id] = self._sizer.size_of(self._book.job_to_send(job_id))
            except InputError as error:
                self._refuse(job_id, str(error))
                continue
            yield job

    def refuse(self, job: SizedJob, why: str) -> None:
        """Put a job into no draft: it is too large for any."""
        del self._waiting[job.id]
        self._refuse(job.id, why)

    def take(self, job_ids: Iterable[str]) -> list[JobSize]:
        """Return the sizes of jobs that are in a draft now; they are not kept."""
        return [self._waiting.pop(job_id) for job_id in job_ids]


def _limits(
    client: Callable[[str], BatchClient],
    max_enqueued_tokens: EnqueuedTokens,
    provider: str,
    model: str,
) -> ChunkLimits:
    most = client(provider).limits
    return ChunkLimits(most.requests, most.body_bytes, max_enqueued_tokens(provider, model))


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
