"""Limits of providers, and jobs that are over them."""

from __future__ import annotations

import itertools

import pytest

from batch_llm.batch.chunks.chunking import ENVELOPE_BYTES, LIMITS, ChunkLimits, SizedJob, chunked
from batch_llm.exceptions import ConfigurationError, InputError


def sized(
    number: int, size: int = 100, tokens: int = 10, provider: str = "openai", model: str = "m"
) -> SizedJob:
    return SizedJob(f"job-{number}", provider, model, "/v1/responses", size, tokens)


@pytest.mark.parametrize(("provider", "most"), [("openai", 50_000), ("anthropic", 100_000)])
def test_requests_of_a_provider(provider: str, most: int) -> None:
    jobs = (sized(n, provider=provider) for n in range(most + 1))
    assert [len(chunk.job_ids) for chunk in chunked(jobs)] == [most, 1]


@pytest.mark.parametrize(
    ("provider", "most"),
    [("openai", 200_000_000), ("anthropic", 256_000_000), ("gemini", 2_000_000_000)],
)
def test_bytes_of_a_provider(provider: str, most: int) -> None:
    half = (most - ENVELOPE_BYTES) // 2 - 1
    jobs = [sized(n, half, provider=provider) for n in range(3)]
    assert [len(chunk.job_ids) for chunk in chunked(jobs)] == [2, 1]
    assert max(chunk.encoded_bytes for chunk in chunked(jobs)) <= most
    assert LIMITS[provider].encoded_bytes == most


def test_enqueued_tokens_are_a_limit_of_the_model() -> None:
    jobs = [sized(n, tokens=40, model="small" if n % 2 else "large") for n in range(6)]
    limits = {"small": ChunkLimits(input_tokens=90), "large": ChunkLimits()}
    cut = [(c.model, len(c.job_ids)) for c in chunked(jobs, lambda job: limits[job.model])]
    assert sorted(cut) == [("large", 3), ("small", 1), ("small", 2)]


def test_the_user_may_want_fewer_and_gets_no_more_than_the_provider_takes() -> None:
    jobs = [sized(n) for n in range(5)]
    assert [len(c.job_ids) for c in chunked(jobs, items_per_batch=2)] == [2, 2, 1]
    limit = ChunkLimits(requests=3)
    assert [len(c.job_ids) for c in chunked(jobs, lambda _: limit, items_per_batch=4)] == [3, 2]
    with pytest.raises(ConfigurationError, match="items_per_batch=0"):
        list(chunked(jobs, items_per_batch=0))


def test_chunks_come_as_they_fill() -> None:
    first = next(chunked(map(sized, itertools.count()), items_per_batch=3))
    assert first.job_ids == ["job-0", "job-1", "job-2"]


def test_a_job_over_a_limit_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'job-1' fits into no batch: it takes 300,000,000 bytes"):
        list(chunked([sized(0), sized(1, 300_000_000)]))


def test_a_job_over_the_limit_of_tokens_goes_alone() -> None:
    jobs = [sized(0, tokens=2), sized(1, tokens=11), sized(2, tokens=2)]
    cut = chunked(jobs, lambda _: ChunkLimits(input_tokens=9))
    assert [chunk.job_ids for chunk in cut] == [["job-0"], ["job-1"], ["job-2"]]


def test_a_job_over_a_limit_may_be_told_of_instead_and_the_others_go() -> None:
    refused: list[tuple[str, str]] = []
    chunks = chunked(
        [sized(0), sized(1, 300_000_000), sized(2)],
        refuse=lambda job, why: refused.append((job.id, why)),
    )
    assert [chunk.job_ids for chunk in chunks] == [["job-0", "job-2"]]
    assert [(job_id, "300,000,000" in why) for job_id, why in refused] == [("job-1", True)]
