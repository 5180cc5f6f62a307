"""One call for many prompts, async or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias, TypedDict, TypeVar

from .base import LLMRequest, LLMWorkItem
from .engine.loop_elsewhere import LoopElsewhere
from .exceptions import InputError
from .parallel import ParallelBatchProcessor

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator, Sequence
    from pathlib import Path
    from typing import Literal

    from typing_extensions import Unpack

    from .base import (
        BatchResult,
        LLMCallStrategy,
        PostProcessorFunc,
        ProgressCallbackFunc,
        Prompt,
        WorkItemResult,
    )
    from .core import LedgerConfig, ProcessorConfig
    from .engine.outlet import Order
    from .middleware import Middleware
    from .observers import ProcessorObserver
    from .strategies import ErrorClassifier, RateLimitStrategy

    NamedPrompt: TypeAlias = Prompt | tuple[str, Prompt]
    Prompts: TypeAlias = Iterable[NamedPrompt] | AsyncIterable[NamedPrompt]

T = TypeVar("T")
TOutput = TypeVar("TOutput")


class ProcessorOptions(TypedDict, total=False):
    """Settings of the processor behind a one-call function: those of `ParallelBatchProcessor`."""

    max_workers: int | Literal["auto"] | None
    post_processor: PostProcessorFunc[Any, None] | None
    timeout_per_item: float | None
    rate_limit_cooldown: float | None
    config: ProcessorConfig | None
    error_classifier: ErrorClassifier | None
    rate_limit_strategy: RateLimitStrategy | None
    middlewares: Sequence[Middleware[Any, Any, None]] | None
    observers: Sequence[ProcessorObserver] | None
    progress_callback: ProgressCallbackFunc | None
    ledger: str | Path | LedgerConfig | None
    max_cost_usd: float | None


async def process_prompts(
    prompts: Prompts,
    strategy: LLMCallStrategy[TOutput],
    *,
    order: Order = "input",
    **options: Unpack[ProcessorOptions],
) -> BatchResult[TOutput, None]:
    """Send all `prompts` through `strategy` and return all results.

    Args:
        prompts: texts, `LLMRequest`s, or `(id, prompt)` pairs; an iterable or an async one.
            Prompts without an id are named by their number, "1" for the first.
        strategy: how to call the model.
        order: "input" for the order of the prompts, or "completion".
        options: as for `ParallelBatchProcessor`.

    Raises:
        InputError: for something that is no prompt, and for one string in place of a list.
        SourceError: if `prompts` raised while being read; its `result` holds what finished.
        ConfigurationError: for an option that cannot work.
    """
    async with ParallelBatchProcessor[str, TOutput, None](**options) as processor:
        return await processor.process_all(_items(prompts, strategy), order=order)


async def process_stream(
    prompts: Prompts,
    strategy: LLMCallStrategy[TOutput],
    *,
    order: Order = "completion",
    **options: Unpack[ProcessorOptions],
) -> AsyncGenerator[WorkItemResult[TOutput, None], None]:
    """Yield each result as it ends; see `process_prompts` for arguments and errors.

    Memory does not grow with the number of prompts, where they come from an iterator.
    """
    async with ParallelBatchProcessor[str, TOutput, None](**options) as processor:
        async for result in processor.stream(_items(prompts, strategy), order=order):
            yield result


def process_prompts_sync(
    prompts: Prompts,
    strategy: LLMCallStrategy[TOutput],
    *,
    order: Order = "input",
    **options: Unpack[ProcessorOptions],
) -> BatchResult[TOutput, None]:
    """Do what `process_prompts` does, from code that is not async, a notebook's included.

    Where an event loop runs already (a notebook), the work is done on one in another thread. The
    first Ctrl-C lets calls in flight finish and returns what there is, the second stops at once.
    """
    processor = ParallelBatchProcessor[str, TOutput, None](**options)

    async def main() -> BatchResult[TOutput, None]:
        async with processor:
            return await processor.process_all(_items(prompts, strategy), order=order)

    if not _is_in_event_loop():
        return asyncio.run(main())
    with LoopElsewhere(processor.stop) as loop:
        return loop.wait_for(main())


def process_stream_sync(
    prompts: Prompts,
    strategy: LLMCallStrategy[TOutput],
    *,
    order: Order = "completion",
    **options: Unpack[ProcessorOptions],
) -> Generator[WorkItemResult[TOutput, None], None, None]:
    """Do what `process_stream` does, from code that is not async, a notebook's included.

    The work is done on an event loop in another thread, and goes on while the caller deals with a
    result. Closing the generator cancels what is in flight.
    """
    processor = ParallelBatchProcessor[str, TOutput, None](**options)
    with LoopElsewhere(processor.stop) as loop:
        results = processor.stream(_items(prompts, strategy), order=order)
        try:
            while (result := loop.wait_for(_next(results))) is not None:
                yield result
        finally:
            # First the run, then the generator: one whose last step is still on its way out, since
            # that was cancelled, cannot be closed.
            loop.finish(processor.cleanup, results.aclose)


async def _next(results: AsyncIterator[T]) -> T | None:
    async for result in results:
        return result
    return None


def _is_in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _items(
    prompts: Prompts, strategy: LLMCallStrategy[TOutput]
) -> Iterable[LLMWorkItem[str, TOutput, None]] | AsyncIterable[LLMWorkItem[str, TOutput, None]]:
    if isinstance(prompts, (str, LLMRequest)):
        raise InputError("prompts is one prompt; give a list of prompts.")
    if isinstance(prompts, AsyncIterable):
        return _from_stream(prompts, strategy)
    if isinstance(prompts, (list, tuple)):
        # Wrong prompts in a list are refused before any call.
        return list(_from_iterable(prompts, strategy))
    if isinstance(prompts, Iterable):
        return _from_iterable(prompts, strategy)
    raise InputError(f"prompts is a list, an iterator or an async iterator, not {prompts!r:.80}.")


def _from_iterable(
    prompts: Iterable[NamedPrompt], strategy: LLMCallStrategy[TOutput]
) -> Iterator[LLMWorkItem[str, TOutput, None]]:
    for number, prompt in enumerate(prompts, 1):
        yield _item(number, prompt, strategy)


async def _from_stream(
    prompts: AsyncIterable[NamedPrompt], strategy: LLMCallStrategy[TOutput]
) -> AsyncIterator[LLMWorkItem[str, TOutput, None]]:
    number = 0
    async for prompt in prompts:
        number += 1
        yield _item(number, prompt, strategy)


def _item(
    number: int, prompt: NamedPrompt, strategy: LLMCallStrategy[TOutput]
) -> LLMWorkItem[str, TOutput, None]:
    item_id, text = prompt if isinstance(prompt, tuple) and len(prompt) == 2 else (None, prompt)
    if not isinstance(text, (str, LLMRequest)):
        raise InputError(
            f"Prompt {number} is a {type(text).__name__}; a prompt is a text, an LLMRequest, "
            f"or a pair of an id and one of these."
        )
    return LLMWorkItem(str(number) if item_id is None else item_id, strategy, text, None)
