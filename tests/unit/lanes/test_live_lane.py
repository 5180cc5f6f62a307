"""The live lane answers jobs as they come, and says of each what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import BaseModel

from batch_llm import (
    ConfigurationError,
    InvalidRequestError,
    LedgerConfig,
    ProcessorConfig,
    RequestStrategy,
    RetryConfig,
)
from batch_llm.base import Job
from batch_llm.engine.budget import Budget
from batch_llm.engine.payments import Payments
from batch_llm.lanes import LiveEnd, LiveLane

FAST = ProcessorConfig(max_workers=3, retry=RetryConfig(max_attempts=2, initial_wait=0.001))


class Invoice(BaseModel):
    number: int


class Echo(RequestStrategy[Any]):
    def __init__(self) -> None:
        self.calls: list[str] = []
        self.going = asyncio.Event()

    async def execute(self, prompt: Any, attempt: int, timeout: float, state: Any = None) -> Any:
        self.calls.append(prompt.text)
        if prompt.text == "refused":
            raise InvalidRequestError("The model says no.", status_code=400)
        if prompt.text == "slow":
            await self.going.wait()
        output = prompt.text if prompt.output_schema is None else Invoice(number=7)
        return output, {"input_tokens": 3, "output_tokens": 2}


def job(text: str, **settings: Any) -> Job:
    return Job(text, prompt=text, model="m", **settings)


async def of(*jobs: Job) -> AsyncIterator[Job]:
    for each in jobs:
        yield each


async def answered(lane: LiveLane, *jobs: Job, **options: Any) -> dict[str, LiveEnd]:
    ends: dict[str, LiveEnd] = {}

    async def ended(end: LiveEnd) -> None:
        assert end.job_id not in ends
        ends[end.job_id] = end

    await lane.answer(of(*jobs), ended, **options)
    return ends


async def test_each_job_ends_once_in_the_words_of_the_batch_lane() -> None:
    lane = LiveLane({"m": Echo()}, FAST)
    ends = await answered(lane, job("plain"), job("model", response_model=Invoice), job("refused"))
    plain, model, refused = (ends[name].result for name in ("plain", "model", "refused"))
    assert plain is not None
    assert (plain.response, plain.lane, plain.is_success) == ("plain", "live", True)
    assert (plain.input_tokens, plain.output_tokens, plain.cost_usd) == (3, 2, None)
    assert model is not None
    assert (model.parsed_response, model.response) == (Invoice(number=7), '{"number": 7}')
    assert refused is not None
    assert (refused.outcome, refused.error_category) == ("failed", "client_error")
    assert "The model says no." in (refused.error or "")
    assert {end.calls for end in ends.values()} == {1}
    assert all(end.seconds > 0 for end in ends.values())


async def test_a_job_whose_file_is_gone_fails_alone(tmp_path: Any) -> None:
    (tmp_path / "a.txt").write_text("text")
    with_file = Job("file", file=tmp_path / "a.txt", prompt="?", model="m")
    (tmp_path / "a.txt").unlink()
    ends = await answered(LiveLane({"m": Echo()}, FAST), with_file, job("plain"))
    assert ends["file"].result is not None
    assert ends["file"].result.error_category == "input_error"
    assert ends["plain"].result is not None
    assert ends["plain"].result.is_success


async def test_what_cannot_be_called_has_not_ended() -> None:
    lane = LiveLane({"m": Echo()}, FAST)
    payments = Payments(Budget(1.0), None)  # the price of the model is not known
    ends = await answered(lane, job("plain"), payments=payments)
    assert ends["plain"].result is None
    assert "max_cost_usd cannot be kept" in ends["plain"].reason


async def test_stopped_it_ends_what_it_has_begun_and_nothing_else() -> None:
    echo = Echo()
    lane = LiveLane({"m": echo}, ProcessorConfig(max_workers=1))
    answering = asyncio.create_task(answered(lane, job("slow"), job("next"), job("last")))
    while not echo.calls:
        await asyncio.sleep(0)
    lane.stop()
    echo.going.set()
    ends = await answering
    assert ends["slow"].result is not None
    assert echo.calls == ["slow"]
    assert all(end.result is None for name, end in ends.items() if name != "slow")


async def test_stopped_before_it_begins_it_makes_no_call() -> None:
    echo = Echo()
    lane = LiveLane({"m": echo}, FAST)
    lane.stop()
    assert await answered(lane, job("plain")) == {}
    assert echo.calls == []
    # A stop is of one run: the next one is free.
    assert set(await answered(lane, job("plain"))) == {"plain"}


async def test_what_cannot_be_kept_ends_it() -> None:
    async def ended(end: LiveEnd) -> None:
        raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        await LiveLane({"m": Echo()}, FAST).answer(of(job("a"), job("b")), ended)


@pytest.mark.parametrize(
    "config",
    [
        ProcessorConfig(max_cost_usd=1),
        ProcessorConfig(ledger=LedgerConfig("ledger.jsonl")),
        ProcessorConfig(dry_run=True),
    ],
)
def test_what_is_the_batchs_to_keep_is_refused(config: ProcessorConfig) -> None:
    with pytest.raises(ConfigurationError):
        LiveLane(config=config)
