"""The first call of a strategy with a cached prefix, which goes alone."""

from __future__ import annotations

import asyncio

from batch_llm import ConnectionFailedError, ParallelBatchProcessor, ProcessorConfig

from ...standins import NO_WAIT, Model, items


class Prefixed(Model):
    """A model whose prompts share a prefix that its provider caches."""

    warms_cache = True


async def test_the_first_call_goes_alone_and_the_rest_together() -> None:
    model = Prefixed("out", seconds=1.0)
    async with ParallelBatchProcessor(max_workers=10) as processor:
        result = await processor.process_all(items(10, model))
    assert result.succeeded == 10
    assert model.starts == [0.0, *[1.0] * 9]


async def test_where_the_first_call_fails_the_next_goes_alone() -> None:
    model = Prefixed([ConnectionFailedError("no"), "out"], seconds=1.0)
    config = ProcessorConfig(max_workers=4, retry=NO_WAIT)
    async with ParallelBatchProcessor(config=config) as processor:
        result = await processor.process_all(items(4, model))
    assert result.succeeded == 4
    assert model.starts[:2] == [0.0, 1.0]
    assert set(model.starts[2:]) == {2.0}


async def test_others_do_not_wait() -> None:
    model = Model("out", seconds=1.0)
    async with ParallelBatchProcessor(max_workers=4) as processor:
        await processor.process_all(items(4, model))
    assert model.starts == [0.0] * 4


async def test_strategies_warm_up_by_themselves() -> None:
    first, second = Prefixed("out", seconds=1.0), Prefixed("out", seconds=2.0)
    async with ParallelBatchProcessor(max_workers=6) as processor:
        await processor.process_all([*items(3, first), *items(3, second)])
    assert first.starts == [0.0, 1.0, 1.0]
    assert second.starts == [0.0, 2.0, 2.0]


async def test_a_stop_frees_those_who_wait() -> None:
    model = Prefixed("out", seconds=5.0)
    async with ParallelBatchProcessor(max_workers=3) as processor:
        running = asyncio.create_task(processor.process_all(items(3, model)))
        await asyncio.sleep(1)
        processor.stop()
        result = await running
    assert (result.succeeded, result.cancelled) == (1, 2)
