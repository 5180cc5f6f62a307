"""What the tests of OpenAI's batches have in common: lines, and the way through the states."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from openai import OpenAI
    from openai.types import Batch

    from batch_llm.testing.simulator import Simulator

ENDPOINT: Final = "/v1/chat/completions"
MODEL = "gpt-4o-mini"
SNAPSHOT = "gpt-4o-mini-2024-07-18"
DAY = 24 * 3_600
_MOST_STEPS = 2_000


def line(number: int, **more: Any) -> dict[str, Any]:
    """Return one line; `more` are further fields of its body."""
    messages = [{"role": "user", "content": f"question {number}"}]
    body = {"model": MODEL, "messages": messages, **more}
    return {"custom_id": f"r{number}", "method": "POST", "url": ENDPOINT, "body": body}


def jsonl(lines: Sequence[dict[str, Any]]) -> bytes:
    """Return lines as a file holds them."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def submit(client: OpenAI, content: bytes | int = 3, **more: Any) -> Batch:
    """Upload a file, or one of so many lines, and make a batch of it."""
    if isinstance(content, int):
        content = jsonl([line(number) for number in range(1, content + 1)])
    file = client.files.create(file=("in.jsonl", content), purpose="batch")
    order: dict[str, Any] = {"endpoint": ENDPOINT, "completion_window": "24h", **more}
    return client.batches.create(input_file_id=file.id, **order)


def ended(client: OpenAI, batch: Batch) -> Batch:
    """Return the batch at its end; the clock must run fast."""
    for _ in range(_MOST_STEPS):
        batch = client.batches.retrieve(batch.id)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            return batch
    raise AssertionError(f"the batch is {batch.status} still")


def driven_to(
    simulator: Simulator,
    client: OpenAI,
    batch: Batch,
    status: str,
    *,
    completed: int = 0,
    step_seconds: float = 20,
) -> Batch:
    """Move a slow clock on until a batch is in a state, and so many of its lines are completed."""
    for _ in range(_MOST_STEPS):
        batch = client.batches.retrieve(batch.id)
        counts = batch.request_counts
        assert counts is not None
        if batch.status == status and counts.completed >= completed:
            return batch
        simulator.advance(step_seconds)
    raise AssertionError(f"the batch is {batch.status} still")


def results(client: OpenAI, file_id: str | None) -> list[dict[str, Any]]:
    """Return the lines of a result file; none for no file."""
    if file_id is None:
        return []
    content = client.files.content(file_id).content
    assert content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]
