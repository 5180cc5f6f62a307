"""Batch runs as tests write them: every event that may follow, drawn; and what a file means."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import strategies as st

from batch_llm.batch.state.events import (
    NEVER_TAKEN,
    Again,
    Cancelled,
    ChunkPlanned,
    Collected,
    Collecting,
    Created,
    DeadlineSet,
    DoubleStopped,
    LiveCall,
    LiveCallSettled,
    Note,
    Polled,
    Refused,
    Released,
    Resubmitted,
    ResultKept,
    Settled,
    Uploaded,
    WentLive,
)
from batch_llm.batch.state.journal import Journal
from batch_llm.batch.state.run_state import ChunkState, Step

Action = Callable[[], object]


def job(number: int, **fields: Any) -> dict[str, Any]:
    return {"id": f"job-{number}", "model": "m", "prompt": f"Frage {number}: ü\n?", **fields}


def result(job_id: str, cost_usd: float = 0.25, **fields: Any) -> dict[str, Any]:
    return {"job_id": job_id, "response": "ja", "cost_usd": cost_usd, **fields}


def planned(number: int, *job_ids: str, **fields: Any) -> ChunkPlanned:
    settings: dict[str, Any] = {"reserved_usd": 1.0, "at": 1.0, **fields}
    return ChunkPlanned(
        number, f"nonce-{number}", "openai", "m", "/v1/responses", list(job_ids), **settings
    )


def play(journal: Journal, draw: Callable[[st.SearchStrategy[Any]], Any], steps: int) -> None:
    """Let a run happen in the journal: at each step one of the events that may come next.

    All at one time, so that two runs of the same draws make files of the same length.
    """
    for step in range(steps):
        actions = dict(_actions(journal, draw, step))
        actions[draw(st.sampled_from(sorted(actions)))]()


def _actions(journal: Journal, draw: Any, step: int) -> Iterator[tuple[str, Action]]:
    state = journal.state
    yield "jobs", lambda: journal.add_jobs([job(len(state) + n) for n in range(draw(_FEW))])
    yield "note", lambda: journal.write(Note("Ein Wort", at=1.0))
    pending = list(state.pending_ids())
    if pending:
        yield "plan", lambda: journal.write(_planned_some(journal, pending, draw))
        yield "live", lambda: _keep(journal, pending[:1], None)
        yield "live, unpriced", lambda: journal.write(_unpriced(pending[0]))
    ended = list(state.ended_ids("failed", "expired", "cancelled"))
    if ended:
        yield (
            "resubmit",
            lambda: journal.write(Resubmitted(ended[0], state.attempt(ended[0]) + 1)),
        )
    yield "deadline", lambda: journal.write(DeadlineSet(9.0, 8.0))
    if state.deadline is not None:
        yield "go live", lambda: journal.write(WentLive(at=1.0))
    call = state.last_call
    yield "call", lambda: journal.write(LiveCall(call + 1, 0.25))
    if call in state.open_calls:
        yield "settle call", lambda: journal.write(LiveCallSettled(call, 0.125))
    for chunk in state.open_chunks.values():
        for name, action in _chunk_actions(journal, chunk, draw, step):
            yield f"{name} {chunk.number}", action


def _chunk_actions(
    journal: Journal, chunk: ChunkState, draw: Any, step: int
) -> Iterator[tuple[str, Action]]:
    number, write = chunk.number, journal.write
    if chunk.may_be_orphan:
        yield "upload", lambda: write(Uploaded(number, f"file-{number}"))
        yield "create", lambda: write(Created(number, f"remote-{number}-{step}", at=1.0))
        yield "found", lambda: write(Again(number, chunk.nonces[0], draw(_RESERVED), at=1.0))
    if chunk.step is Step.REFUSED:
        nonce = f"nonce-{number}-{step}"
        yield "again", lambda: write(Again(number, nonce, draw(_RESERVED), at=1.0))
        yield "release", lambda: write(Released(number))
    if chunk.step in (Step.PLANNED, Step.CREATED):
        yield "refuse", lambda: write(Refused(number, "token_limit_exceeded", at=1.0))
    if chunk.may_be_orphan:
        yield "lose", lambda: write(Refused(number, NEVER_TAKEN, at=1.0))
    if chunk.lost:
        lost = chunk.lost[0].nonce
        yield "stop double", lambda: write(DoubleStopped(number, lost, f"double-{number}"))
    if chunk.step is Step.CREATED:
        yield (
            "poll",
            lambda: write(Polled(number, "in_progress", ended=draw(st.booleans()), at=1.0)),
        )
        yield "cancel", lambda: write(Cancelled(number, at=1.0))
    if chunk.step is Step.ENDED:
        yield "collect", lambda: write(Collecting(number))
    if chunk.step is Step.COLLECTING:
        waiting = list(journal.state.waiting_ids(chunk))
        if waiting:
            yield "result", lambda: _keep(journal, waiting[: draw(_FEW)], number, draw)
        else:
            yield "settle", lambda: _settle(journal, chunk)


_FEW = st.integers(1, 3)
_RESERVED = st.sampled_from([0.5, None])
_OUTCOMES = st.sampled_from(["succeeded", "failed", "expired", "cancelled"])


def _planned_some(journal: Journal, pending: list[str], draw: Any) -> ChunkPlanned:
    some = pending[: draw(_FEW)]
    return planned(len(journal.state.chunks), *some, reserved_usd=draw(_RESERVED))


def _unpriced(job_id: str) -> ResultKept:
    told = msgspec.Raw(json.dumps(result(job_id)).encode())
    return ResultKept(job_id=job_id, outcome="succeeded", is_unpriced=True, result=told)


def _keep(journal: Journal, job_ids: list[str], chunk: int | None, draw: Any = None) -> None:
    outcome = draw(_OUTCOMES) if draw else "succeeded"
    journal.keep_results((result(one) for one in job_ids), lambda _: outcome, chunk)


def _settle(journal: Journal, chunk: ChunkState) -> None:
    if chunk.settled_usd is None:
        journal.write(Settled(0.5, chunk.number, unpriced=int(chunk.reserved_usd is None)))
    journal.write(Collected(chunk.number, at=1.0))


@dataclass
class Meaning:
    """What a file means, read without the code under test: where jobs are, and what is out."""

    where: dict[str, str] = field(default_factory=dict)
    remote_ids: dict[int, str] = field(default_factory=dict)
    open_chunks: set[int] = field(default_factory=set)
    intents: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    went_live: bool = False
    calls: dict[int, float] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)
    unpriced_chunks: dict[int, int] = field(default_factory=dict)
    unpriced: int = 0
    nonces: dict[int, str] = field(default_factory=dict)
    lost: dict[int, dict[str, bool]] = field(default_factory=dict)
    never_taken: set[int] = field(default_factory=set)

    @property
    def unpriced_jobs(self) -> int:
        """Jobs whose cost nobody knows: of each chunk once, however often it was sent."""
        lost = {n for n in self.never_taken if any(self.lost.get(n, {}).values())}
        return self.unpriced + sum(self.sizes[n] for n in lost | set(self.unpriced_chunks))


def meaning(content: bytes) -> Meaning:
    """Read the whole lines of a state file as a person would."""
    found = Meaning()
    for line in content.split(b"\n")[:-1]:
        _read(found, json.loads(line))
    return found


def _read(found: Meaning, event: dict[str, Any]) -> None:
    _read_money(found, event)
    match event["kind"]:
        case "job":
            found.where[event["id"]] = "pending"
        case "chunk":
            found.open_chunks.add(event["number"])
            found.intents.add(event["nonce"])
            found.where.update(dict.fromkeys(event["job_ids"], f"chunk {event['number']}"))
        case "again":
            found.intents.add(event["nonce"])
        case "created":
            found.remote_ids[event["chunk"]] = event["remote_id"]
        case "refused":
            found.remote_ids.pop(event["chunk"], None)
        case "result":
            found.where[event["job_id"]] = "ended"
            found.answers[event["job_id"]] = event["result"]
            if event["outcome"] == "expired" or (
                event["outcome"] == "cancelled" and found.went_live
            ):
                found.late.add(event["job_id"])
        case "resubmitted":
            found.where[event["job_id"]] = "pending"
            found.late.discard(event["job_id"])
        case "collected":
            found.open_chunks.remove(event["chunk"])
        case "released":
            found.open_chunks.remove(event["chunk"])
            place = f"chunk {event['chunk']}"
            back = [job_id for job_id, where in found.where.items() if where == place]
            found.where.update(dict.fromkeys(back, "pending"))
        case other:
            _read_live(found, other, event)


def _read_money(found: Meaning, event: dict[str, Any]) -> None:
    """Count the jobs whose cost nobody knows."""
    number = event.get("number", event.get("chunk"))
    found.unpriced += int(event.get("unpriced", 0)) + event.get("is_unpriced", False)
    match event["kind"]:
        case "chunk":
            found.sizes[number] = len(event["job_ids"])
            _reserve(found, number, event)
        case "again":
            if number in found.nonces and found.nonces[number] != event["nonce"]:
                _lose(found, number)
            found.lost.get(number, {}).pop(event["nonce"], None)
            _reserve(found, number, event)
        case "refused":
            if event["reason"] == NEVER_TAKEN:
                found.never_taken.add(number)
                _lose(found, number)
            found.nonces.pop(number, None)
            found.unpriced_chunks.pop(number, None)
        case "settled":
            found.never_taken.discard(number)
            found.unpriced_chunks.pop(number, None)


def _lose(found: Meaning, number: int) -> None:
    of_chunk = found.lost.setdefault(number, {})
    of_chunk[found.nonces[number]] = number in found.unpriced_chunks


def _reserve(found: Meaning, number: int, event: dict[str, Any]) -> None:
    found.nonces[number] = event["nonce"]
    found.unpriced_chunks.pop(number, None)
    if "reserved_usd" not in event:
        found.unpriced_chunks[number] = found.sizes[number]


def _read_live(found: Meaning, kind: str, event: dict[str, Any]) -> None:
    match kind:
        case "deadline":
            found.went_live = False
        case "went_live":
            found.went_live = True
        case "live_call":
            found.calls[event["number"]] = event["usd"]
        case "live_call_settled":
            del found.calls[event["number"]]
