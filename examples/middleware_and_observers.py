"""Middleware changes items and results; observers only watch. Both see every item of a run.

Here a middleware takes e-mail addresses out of prompts, skips empty texts, and answers for items
that failed for good. One observer counts, another one prints what slows the run down.

Run it: python examples/middleware_and_observers.py
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from batch_llm import (
    BaseMiddleware,
    FixedDelayStrategy,
    LLMWorkItem,
    MetricsObserver,
    ParallelBatchProcessor,
    ProcessingEvent,
    ProcessorObserver,
    WorkItemResult,
)
from batch_llm.testing import MockAgent, mock_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

MAIL_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]+")

MESSAGES = {
    "m1": "Please send the invoice to ada@example.org, not to my old address.",
    "m2": "   ",
    "m3": "The parcel came open. Call me.",
    "m4": "unreadable \ufffd\ufffd\ufffd",
    "m5": "Cancel my order, and confirm it to bob@example.org and carol@example.org.",
}


class Redaction(BaseMiddleware[str, str, None]):
    """Takes e-mail addresses out of prompts, so that they never leave this process."""

    async def before_process(
        self, work_item: LLMWorkItem[str, str, None]
    ) -> LLMWorkItem[str, str, None]:
        """Return the item without addresses; the one that came in stays as it is."""
        assert isinstance(work_item.prompt, str), "this example has text prompts only"
        return replace(work_item, prompt=MAIL_ADDRESS.sub("[address]", work_item.prompt))


class SkipEmpty(BaseMiddleware[str, str, None]):
    """Makes no call for texts that say nothing."""

    async def before_process(
        self, work_item: LLMWorkItem[str, str, None]
    ) -> LLMWorkItem[str, str, None] | None:
        """Return None, which skips the item, or the item."""
        return work_item if str(work_item.prompt).strip() else None


class FallBack(BaseMiddleware[str, str, None]):
    """Answers for items that failed for good."""

    async def on_error(
        self, work_item: LLMWorkItem[str, str, None], exception: Exception
    ) -> WorkItemResult[str, None]:
        """Return a result in the place of the failure."""
        output = f"for a person to read ({type(exception).__name__})"
        return WorkItemResult(work_item.item_id, success=True, output=output)


class Narrator(ProcessorObserver):
    """Prints what slows a run down. `on_event` may be async too; a plain one costs least."""

    def __init__(self) -> None:
        self.heard: Counter[ProcessingEvent] = Counter()

    def on_event(self, event: ProcessingEvent, data: Mapping[str, Any]) -> None:
        """Hear of one event."""
        self.heard[event] += 1
        if event is ProcessingEvent.RATE_LIMIT_HIT:
            print(f"  ({data['item_id']} was refused: too many requests)")
        elif event is ProcessingEvent.COOLDOWN_ENDED:
            print("  (the pause is over)")


def classify(prompt: str) -> str:
    """Answer as a model would."""
    if "\ufffd" in prompt:
        raise ValueError("a text that cannot be read")
    return f"{'request' if 'ease' in prompt or 'ancel' in prompt else 'complaint'}: {prompt}"


async def main() -> None:
    """Classify all messages."""
    metrics, narrator = MetricsObserver(), Narrator()
    # A real provider: make this line `strategy = strategy_by_name("openai:gpt-5-mini")`.
    strategy = mock_strategy(MockAgent(classify, latency=0.01, rate_limit_on_call=2))
    processor = ParallelBatchProcessor[str, str, None](
        max_workers=1,
        rate_limit_strategy=FixedDelayStrategy(cooldown=0.05, delay_between_requests=0),
        middlewares=[Redaction(), SkipEmpty(), FallBack()],
        observers=[metrics, narrator],
    )
    async with processor:
        batch = await processor.process_all(
            LLMWorkItem(item_id, strategy, text) for item_id, text in MESSAGES.items()
        )
    for result in batch:
        print(f"{result.item_id}  {result.output or result.error}")
    counts = await metrics.get_metrics()
    print(
        f"{counts['items_succeeded']} of {counts['items_processed']} succeeded, "
        f"{counts['rate_limits_hit']} rate limit, "
        f"{sum(narrator.heard.values())} events heard."
    )


if __name__ == "__main__":
    asyncio.run(main())
