"""Batches in the tests of Gemini: their lines, and how a test waits for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from google.genai import types
from tests.contract.simulator.gemini_sdk import MODEL, raw

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2
    from google import genai

    from batch_llm.testing.simulator import Simulator

T = TypeVar("T")

_LOOKS = 3_000


def frozen(simulator: Simulator) -> None:
    """Let time stand still; `until` moves it."""
    simulator.set_speed(1e-6)


def until(
    simulator: Simulator, look: Callable[[], T], is_it: Callable[[T], bool], step: float = 0
) -> T:
    """Look again and again until it is so; before each look time moves by `step` seconds."""
    seen = look()
    for _ in range(_LOOKS):
        if is_it(seen):
            return seen
        simulator.advance(step)
        seen = look()
    raise AssertionError(f"it never came; last seen: {seen}")


def inline(*keys: str, **settings: Any) -> list[types.InlinedRequestDict]:
    """Return inline requests as the SDK takes them, each asking for its key to be echoed."""
    config: types.GenerateContentConfigDict = {}
    config.update(settings)  # type: ignore[typeddict-item]
    return [
        {
            "contents": [{"role": "user", "parts": [{"text": f"say {key}"}]}],
            "metadata": {"key": key},
            "config": config,
        }
        for key in keys
    ]


def raw_inline(*keys: str) -> list[dict[str, Any]]:
    """Return inline requests as they stand in JSON."""
    return [{"request": asking(key), "metadata": {"key": key}} for key in keys]


def asking(key: str) -> dict[str, Any]:
    """Return a `GenerateContentRequest` in JSON."""
    return {"contents": [{"role": "user", "parts": [{"text": f"say {key}"}]}]}


def create(
    simulator: Simulator, requests: object, *, display_name: str | None = None, **headers: str
) -> httpx2.Response:
    """Create an inline batch without the SDK."""
    batch: dict[str, Any] = {"inputConfig": {"requests": {"requests": requests}}}
    if display_name is not None:
        batch["displayName"] = display_name
    path = f"/v1beta/models/{MODEL}:batchGenerateContent"
    return raw(simulator, "POST", path, json={"batch": batch}, headers=headers)


def operation(simulator: Simulator, name: str) -> dict[str, Any]:
    """Return a batch as it stands in JSON."""
    seen: dict[str, Any] = raw(simulator, "GET", f"/v1beta/{name}").json()
    return seen


def ended(simulator: Simulator, name: str, step: float = 0) -> dict[str, Any]:
    """Return a batch as it stands in JSON, once it has ended."""
    return until(
        simulator, lambda: operation(simulator, name), lambda seen: "done" in seen, step=step
    )


def finished(client: genai.Client, job: types.BatchJob) -> types.BatchJob:
    """Return a batch once it has ended."""
    for _ in range(_LOOKS):
        if job.done:
            return job
        job = client.batches.get(name=str(job.name))
    raise AssertionError(f"it never ended: {job}")
