"""Whatever jobs there are: each is in one chunk, and every chunk keeps every limit."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from batch_llm.batch.chunks.chunking import (
    ENVELOPE_BYTES,
    Chunk,
    ChunkLimits,
    SizedJob,
    chunked,
    why_too_large,
)

LIMIT = st.builds(
    ChunkLimits,
    requests=st.none() | st.integers(1, 6),
    encoded_bytes=st.none() | st.integers(ENVELOPE_BYTES + 10, ENVELOPE_BYTES + 60),
    input_tokens=st.none() | st.integers(5, 40),
)
SIZE = st.tuples(
    st.sampled_from("ab"), st.sampled_from("xy"), st.integers(1, 80), st.integers(0, 50)
)
JOBS = st.lists(SIZE, max_size=40).map(
    lambda sizes: [
        SizedJob(f"j{number}", "openai", model, endpoint, size, tokens)
        for number, (model, endpoint, size, tokens) in enumerate(sizes)
    ]
)


def cut(jobs: list[SizedJob], limit: ChunkLimits, items: int | None) -> list[Chunk]:
    return list(
        chunked(jobs, lambda _: limit, items_per_batch=items, refuse=lambda _job, _why: None)
    )


@given(JOBS, LIMIT, st.none() | st.integers(1, 5))
def test_each_job_is_in_one_chunk_of_its_kind_in_order(
    jobs: list[SizedJob], limit: ChunkLimits, items: int | None
) -> None:
    chunks, by_id = cut(jobs, limit, items), {job.id: job for job in jobs}
    placed = [job_id for chunk in chunks for job_id in chunk.job_ids]
    fitting = [job.id for job in jobs if why_too_large(job, limit) is None]
    assert Counter(placed) == Counter(fitting)
    for chunk in chunks:
        kinds = {
            (by_id[one].provider, by_id[one].model, by_id[one].endpoint) for one in chunk.job_ids
        }
        assert kinds == {(chunk.provider, chunk.model, chunk.endpoint)}
    for kind in {(job.model, job.endpoint) for job in jobs}:
        ours = [
            one
            for chunk in chunks
            if (chunk.model, chunk.endpoint) == kind
            for one in chunk.job_ids
        ]
        assert ours == [one for one in fitting if (by_id[one].model, by_id[one].endpoint) == kind]


@given(JOBS, LIMIT, st.none() | st.integers(1, 5))
def test_no_chunk_exceeds_a_limit(
    jobs: list[SizedJob], limit: ChunkLimits, items: int | None
) -> None:
    by_id = {job.id: job for job in jobs}
    for chunk in cut(jobs, limit, items):
        inside = [by_id[one] for one in chunk.job_ids]
        assert chunk.input_tokens == sum(job.input_tokens for job in inside)
        assert 0 < len(inside) <= min(limit.requests or 10**9, items or 10**9)
        size = ENVELOPE_BYTES + sum(job.encoded_bytes + 1 for job in inside)
        assert chunk.encoded_bytes == size <= (limit.encoded_bytes or 10**9)
        # What a job counts is only roughly known: alone it goes all the same.
        assert chunk.input_tokens <= (limit.input_tokens or 10**9) or len(inside) == 1


@given(JOBS, LIMIT, st.none() | st.integers(1, 5), st.data())
def test_chunks_that_were_written_stay_and_the_rest_is_cut_as_it_would_have_been(
    jobs: list[SizedJob], limit: ChunkLimits, items: int | None, data: st.DataObject
) -> None:
    chunks = cut(jobs, limit, items)
    written = data.draw(st.integers(0, len(chunks)))
    gone = {job_id for chunk in chunks[:written] for job_id in chunk.job_ids}
    again = cut([job for job in jobs if job.id not in gone], limit, items)
    assert sorted(c.job_ids for c in again) == sorted(c.job_ids for c in chunks[written:])


@given(JOBS, LIMIT)
def test_each_chunk_is_as_full_as_its_next_job_lets_it_be(
    jobs: list[SizedJob], limit: ChunkLimits
) -> None:
    by_id = {job.id: job for job in jobs}
    last: dict[tuple[str, str], Chunk] = {}
    for chunk in cut(jobs, limit, None):
        before = last.get((chunk.model, chunk.endpoint))
        last[chunk.model, chunk.endpoint] = chunk
        if before is None:
            continue
        first = by_id[chunk.job_ids[0]]
        assert (
            len(before.job_ids) + 1 > (limit.requests or 10**9)
            or before.encoded_bytes + first.encoded_bytes + 1 > (limit.encoded_bytes or 10**9)
            or before.input_tokens + first.input_tokens > (limit.input_tokens or 10**9)
        )
