"""Cutting jobs into remote batches that a provider accepts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeAlias

from ...exceptions import ConfigurationError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


@dataclass(slots=True)
class SizedJob:
    """What chunking knows of a job.

    Args:
        id: the user's id.
        provider: who answers it ("openai").
        model: the model; a remote batch has one.
        endpoint: what is asked of it ("/v1/responses"); a remote batch has one.
        encoded_bytes: its whole entry in the batch, custom id included, as it will be sent.
        input_tokens: what it counts as enqueued, rather more than the provider will say.
    """

    id: str
    provider: str
    model: str
    endpoint: str
    encoded_bytes: int
    input_tokens: int


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """What one remote batch may hold; None where there is no limit.

    Args:
        requests: jobs.
        encoded_bytes: of the body or file.
        input_tokens: enqueued at once; of the model and the account, so given by the user. What
            one job counts is only roughly known: one that is over it goes alone.
    """

    requests: int | None = None
    encoded_bytes: int | None = None
    input_tokens: int | None = None


OPENAI: Final = ChunkLimits(requests=50_000, encoded_bytes=200_000_000)
ANTHROPIC: Final = ChunkLimits(requests=100_000, encoded_bytes=256_000_000)
GEMINI_INLINE: Final = ChunkLimits(encoded_bytes=20_000_000)
GEMINI_FILE: Final = ChunkLimits(encoded_bytes=2_000_000_000)
"""Gemini documents no number of requests."""

LIMITS: Final[Mapping[str, ChunkLimits]] = MappingProxyType(
    {"openai": OPENAI, "anthropic": ANTHROPIC, "gemini": GEMINI_FILE}
)
"""By provider. Megabytes are counted as 1,000,000 bytes, the smaller of the two ways to."""

ENVELOPE_BYTES: Final = 4096
"""Kept free for what stands around the entries of a batch; each entry also ends in one byte."""

Refuse: TypeAlias = Callable[[SizedJob, str], None]


@dataclass(slots=True)
class Chunk:
    """Jobs that go into one remote batch, in the order in which they came."""

    provider: str
    model: str
    endpoint: str
    job_ids: list[str] = field(default_factory=list)
    encoded_bytes: int = ENVELOPE_BYTES
    input_tokens: int = 0


def chunked(
    jobs: Iterable[SizedJob],
    limits: Callable[[SizedJob], ChunkLimits] | None = None,
    *,
    items_per_batch: int | None = None,
    refuse: Refuse | None = None,
) -> Iterator[Chunk]:
    """Yield chunks as they become full, and the rest at the end, by provider, model and endpoint.

    No more is in memory than one chunk of each of these. A chunk depends on no job that comes
    after it: jobs that are left, cut again, make the chunks that would have followed.

    Args:
        jobs: in the order in which they are wanted.
        limits: of the remote batch that a job may go into; by default `LIMITS`.
        items_per_batch: jobs a chunk, where the user wants fewer than the provider takes.
        refuse: told of a job that is over a limit by itself, and why; it is in no chunk.

    Raises:
        InputError: naming a job that is over a limit by itself, where there is no `refuse`.
        ConfigurationError: if `items_per_batch` is not positive.
    """
    if items_per_batch is not None and items_per_batch < 1:
        raise ConfigurationError(f"items_per_batch={items_per_batch!r}: give 1 or more, or None.")
    refuse, limits = refuse or _raise, limits or provider_limits
    filling: dict[tuple[str, str, str], Chunk] = {}
    for job in jobs:
        limit = _with_items(limits(job), items_per_batch)
        reason = why_too_large(job, limit)
        if reason is not None:
            refuse(job, reason)
            continue
        key = (job.provider, job.model, job.endpoint)
        chunk = filling.get(key)
        if chunk is not None and not _fits(chunk, job, limit):
            yield filling.pop(key)
            chunk = None
        if chunk is None:
            chunk = filling[key] = Chunk(job.provider, job.model, job.endpoint)
        _put(chunk, job)
    yield from filling.values()


def provider_limits(job: SizedJob) -> ChunkLimits:
    """Return the documented limits of the job's provider; none for one that is not known."""
    return LIMITS.get(job.provider, ChunkLimits())


def why_too_large(job: SizedJob, limit: ChunkLimits) -> str | None:
    """Return why the job fits into no remote batch; None where it fits into one."""
    size = ENVELOPE_BYTES + job.encoded_bytes + 1
    if limit.encoded_bytes is not None and size > limit.encoded_bytes:
        return (
            f"it takes {job.encoded_bytes:,} bytes as it is sent, and a batch of {job.provider} "
            f"may have {limit.encoded_bytes:,}"
        )
    return None


@lru_cache(maxsize=64)  # asked for each job
def _with_items(limit: ChunkLimits, items_per_batch: int | None) -> ChunkLimits:
    if items_per_batch is None or (limit.requests or items_per_batch) < items_per_batch:
        return limit
    return limit if limit.requests == items_per_batch else replace(limit, requests=items_per_batch)


def _fits(chunk: Chunk, job: SizedJob, limit: ChunkLimits) -> bool:
    return (
        _within(len(chunk.job_ids) + 1, limit.requests)
        and _within(chunk.encoded_bytes + job.encoded_bytes + 1, limit.encoded_bytes)
        and _within(chunk.input_tokens + job.input_tokens, limit.input_tokens)
    )


def _within(count: int, limit: int | None) -> bool:
    return limit is None or count <= limit


def _put(chunk: Chunk, job: SizedJob) -> None:
    chunk.job_ids.append(job.id)
    chunk.encoded_bytes += job.encoded_bytes + 1
    chunk.input_tokens += job.input_tokens


def _raise(job: SizedJob, reason: str) -> None:
    raise InputError(f"The job {job.id!r} fits into no batch: {reason}. Make it smaller.")
