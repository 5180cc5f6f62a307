"""Limits of a minute, a Retry-After and a cooldown hold for any load."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from batch_llm import ParallelBatchProcessor, ProcessorConfig, RateLimitConfig, RetryConfig

from ..standins import Model, items, limited, now
from ..virtual import run

SOME = settings(max_examples=60, deadline=None, derandomize=True)


def most_in_a_minute(starts: list[float]) -> int:
    ordered, most, first = sorted(starts), 0, 0
    for last, start in enumerate(ordered):
        while ordered[first] + 60 <= start:
            first += 1
        most = max(most, last - first + 1)
    return most


@SOME
@given(
    rpm=st.integers(1, 900),
    workers=st.integers(1, 60),
    seconds=st.floats(0, 20),
    count=st.integers(2, 120),
    begun=st.floats(0, 1e6),
)
def test_no_half_open_minute_has_more_starts_than_allowed_and_none_is_wasted(
    rpm: int, workers: int, seconds: float, count: int, begun: float
) -> None:
    model = Model(seconds=seconds)
    config = ProcessorConfig(
        max_workers=workers, max_requests_per_minute=rpm, timeout_per_item=1_000
    )

    async def main() -> None:
        await asyncio.sleep(begun)
        async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
            assert (await processor.process_all(items(count, model))).succeeded == count

    run(main)
    assert most_in_a_minute(model.starts) <= rpm
    # Where enough workers are free, the pace alone decides.
    if seconds * rpm / 60 < workers - 1:
        span = model.starts[-1] - model.starts[0]
        assert (count - 1) * 60 / span >= 0.98 * rpm


@SOME
@given(
    rpm=st.integers(1, 120),
    workers=st.integers(1, 20),
    answers=st.lists(st.sampled_from(["ok", "ok", "429", "wait", "down"]), max_size=40),
    wait=st.floats(0.001, 100),
    cut_at=st.floats(0, 100),
)
def test_retries_refusals_and_a_second_run_stay_within_the_minute(
    rpm: int, workers: int, answers: list[str], wait: float, cut_at: float
) -> None:
    fates = {"ok": "ok", "429": limited(), "wait": limited(wait), "down": ConnectionError()}
    model = Model([*(fates[answer] for answer in answers), "ok"], seconds=0.1)
    config = ProcessorConfig(
        max_workers=workers,
        max_requests_per_minute=rpm,
        rate_limit=RateLimitConfig(cooldown_seconds=15.0, slow_start_items=4),
    )

    async def main() -> None:
        async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
            first = asyncio.create_task(processor.process_all(items(20, model)))
            await asyncio.sleep(cut_at)
            first.cancel()
            await asyncio.wait([first])
            await processor.process_all(items(10, model))

    run(main)
    assert most_in_a_minute(model.starts) <= rpm


@SOME
@given(
    waits=st.lists(st.floats(0.001, 5_000), min_size=1, max_size=15),
    workers=st.integers(1, 8),
    seconds=st.floats(0, 50),
)
def test_a_retry_after_is_obeyed_to_the_second(
    waits: list[float], workers: int, seconds: float
) -> None:
    pauses: list[tuple[float, float]] = []
    left = list(waits)

    async def answer(prompt: str, attempt: int) -> Any:
        await asyncio.sleep(seconds)
        if not left:
            return prompt
        wait = left.pop()
        pauses.append((now(), now() + wait))
        return limited(wait)

    model = Model(answer)
    config = ProcessorConfig(max_workers=workers, timeout_per_item=1_000)

    async def main() -> None:
        async with ParallelBatchProcessor[Any, Any, None](config=config) as processor:
            assert (await processor.process_all(items(workers * 2, model))).failed == 0

    run(main)
    for begun, until in pauses:
        early = [start for start in model.starts if begun < start < until - 1e-6]
        assert early == []


@SOME
@given(
    refused=st.lists(st.booleans(), min_size=1, max_size=30),
    workers=st.integers(1, 12),
    seconds=st.floats(0, 30),
    cooldown=st.floats(0.5, 500),
)
def test_no_attempt_starts_within_a_cooldown(
    refused: list[bool], workers: int, seconds: float, cooldown: float
) -> None:
    from batch_llm import ProcessingEvent

    from ..standins import Ear

    ear = Ear()
    model = Model([*(limited() if each else "ok" for each in refused), "ok"], seconds=seconds)
    config = ProcessorConfig(
        max_workers=workers,
        retry=RetryConfig(max_rate_limit_retries=50),
        rate_limit=RateLimitConfig(
            cooldown_seconds=cooldown, slow_start_items=5, slow_start_initial_delay=1.0
        ),
    )

    async def main() -> None:
        async with ParallelBatchProcessor[Any, Any, None](
            config=config, observers=[ear]
        ) as processor:
            assert (await processor.process_all(items(15, model))).failed == 0

    run(main)
    begun = ear.times(ProcessingEvent.COOLDOWN_STARTED)
    ended = ear.times(ProcessingEvent.COOLDOWN_ENDED)
    assert len(begun) == len(ended)
    for start, end in zip(begun, ended, strict=True):
        assert [call for call in model.starts if start < call < end] == []
