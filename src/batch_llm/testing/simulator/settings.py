"""What can be set about a simulator."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from .faults import Fault
from .latency import Latency
from .limits import Limit


class BatchTimes(BaseModel):
    """How long batches take, in simulated seconds.

    Attributes:
        validating_seconds: before the first line runs.
        running: how long the lines take, all together.
        finalizing_seconds: from the last line to the end.
        cancelling_seconds: from the cancellation to the end; lines that ran are kept.
        slices: parts in which the lines are run: progress is seen after each.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    validating_seconds: float = Field(default=30.0, ge=0)
    running: Latency = Latency(kind="lognormal", seconds=600.0)
    finalizing_seconds: float = Field(default=20.0, ge=0)
    cancelling_seconds: float = Field(default=60.0, ge=0)
    slices: int = Field(default=10, ge=1)


class SimulatorSettings(BaseModel):
    """All that can be set when a simulator starts.

    Attributes:
        seed: runs with one seed, and the same requests, go alike.
        speed: simulated seconds in a real one.
        answers: "auto" (JSON where a schema or a tool is asked for, else an echo), "echo",
            "schema", "table:FILE.json", "recorded:FILE.jsonl", "function:MODULE:NAME" or "local".
        latency: of live calls.
        limits: what keys and models may use; none by default.
        faults: in force from the start.
        batch_times: how long batches take.
        keys: the API keys that are right; None takes all but those that begin with "wrong".
        models: names of further models, besides those that look like the provider's own.
        strict_models: whether only models that the providers' lists name, and those of `models`,
            are there; else whatever is named like one of a provider's.
        books: "all" keeps a record of each call, "sums" only sums: memory does not grow,
            and windows of time are known to a quarter of a second.
        piece_seconds: between two pieces of a stream.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    seed: int | str = 0
    speed: float = Field(default=1.0, gt=0)
    answers: str = "auto"
    latency: Latency = Latency()
    limits: tuple[Limit, ...] = ()
    faults: tuple[Fault, ...] = ()
    batch_times: BatchTimes = BatchTimes()
    keys: tuple[str, ...] | None = None
    models: tuple[str, ...] = ()
    strict_models: bool = False
    books: Literal["all", "sums"] = "all"
    piece_seconds: float = Field(default=0.0, ge=0)
