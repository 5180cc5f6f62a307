"""Whatever a batch run has done, and wherever its file ends: nothing is forgotten."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.batch_runs import Meaning, meaning, play

from batch_llm.batch.state.journal import Journal, open_journal
from batch_llm.batch.state.run_state import RunState


def whereabouts(state: RunState) -> dict[str, str]:
    """Return where each job is, and see that it is in one place alone."""
    places: dict[str, str] = {}

    def put(job_id: str, place: str) -> None:
        assert job_id not in places
        places[job_id] = place

    for job_id in state.pending_ids():
        put(job_id, "pending")
    for job_id in state.ended_ids():
        put(job_id, "ended")
    for chunk in state.open_chunks.values():
        for job_id in state.waiting_ids(chunk):
            put(job_id, f"chunk {chunk.number}")
    assert len(places) == len(state) == len(list(state.job_ids))
    return places


def check(journal: Journal, expected: Meaning) -> None:
    state = journal.state
    assert whereabouts(state) == expected.where
    assert set(state.open_chunks) == expected.open_chunks
    remote_ids = {c.number: c.remote_id for c in state.chunks if c.remote_id is not None}
    assert remote_ids == expected.remote_ids
    assert {nonce for chunk in state.chunks for nonce in chunk.nonces} == expected.intents
    assert {one["job_id"]: one for one in journal.results()} == expected.answers
    assert state.pending == list(expected.where.values()).count("pending")
    assert state.ended == list(expected.where.values()).count("ended")
    assert set(state.answered_ids()) == set(expected.answers)
    assert all(c.waiting == len(list(state.waiting_ids(c))) for c in state.open_chunks.values())
    assert state.reserved_usd >= sum(expected.calls.values())
    assert state.open_calls == expected.calls
    assert state.unpriced == expected.unpriced_jobs
    lost = {n: set(nonces) for n, nonces in expected.lost.items() if nonces}
    assert {c.number: {each.nonce for each in c.lost} for c in state.losing_chunks} == lost
    assert set(state.late_ids()) == expected.late
    assert state.went_live == expected.went_live


@settings(max_examples=60)
@given(st.data(), st.integers(1, 40))
def test_a_state_file_cut_anywhere_resumes_where_it_was(data: st.DataObject, steps: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.jsonl"
        with open_journal(path, durability="process") as journal:
            play(journal, data.draw, steps)
            check(journal, meaning(path.read_bytes()))
        content = path.read_bytes()
        for size in data.draw(st.lists(st.integers(0, len(content)), min_size=1, max_size=12)):
            path.write_bytes(content[:size])
            with open_journal(path, durability="process") as journal:
                check(journal, meaning(content[:size]))
                play(journal, data.draw, 2)
            with open_journal(path, durability="process") as journal:
                check(journal, meaning(path.read_bytes()))


@settings(max_examples=2)
@given(st.data())
def test_every_byte_of_a_state_file_is_a_place_to_resume_from(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.jsonl"
        with open_journal(path, durability="process") as journal:
            play(journal, data.draw, 12)
        content = path.read_bytes()
        for size in range(len(content) + 1):
            path.write_bytes(content[:size])
            with open_journal(path, durability="process") as journal:
                check(journal, meaning(content[:size]))
