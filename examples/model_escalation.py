"""Retry state: ask a small model first, and a large one only about what the small one got wrong.

Every attempt of an item sees the same `RetryState`. This strategy keeps two things in it: which
model is next, and what was wrong with the last answer, so that the next model can be told.

Run it: python examples/model_escalation.py
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from batch_llm import (
    LLMCallStrategy,
    OutputSchema,
    OutputValidationError,
    RetryState,
    TokenUsage,
    process_prompts,
)
from batch_llm.testing import MockAgent, mock_strategy

if TYPE_CHECKING:
    from collections.abc import Mapping

SMALL, LARGE = "small", "large"


class Invoice(BaseModel):
    """What is to be found in each text."""

    number: str = Field(pattern=r"^INV-\d+$")
    total: float = Field(gt=0)


class EscalatingStrategy(LLMCallStrategy[Invoice]):
    """Asks the first model, and the next one after each answer that does not fit.

    A rate limit or a lost connection says nothing about the model: those are tried again with the
    same one.

    Args:
        models: strategies that answer with text, by name, cheapest first.

    Attributes:
        calls: calls of each model so far.
        tokens: tokens of each model so far, unusable answers included.
    """

    def __init__(self, models: Mapping[str, LLMCallStrategy[str]]) -> None:
        self._models = list(models.items())
        self._schema = OutputSchema(Invoice)
        self.calls: Counter[str] = Counter()
        self.tokens: Counter[str] = Counter()

    async def prepare(self) -> None:
        """Prepare all models."""
        for _, model in self._models:
            await model.prepare()

    async def execute(
        self, prompt: str, attempt: int, timeout: float, state: RetryState | None = None
    ) -> tuple[Invoice, TokenUsage]:
        """Ask the model whose turn it is, and tell it what was wrong before."""
        state = state or RetryState()
        name, model = self._models[state.get("step", 0)]
        if problem := state.get("problem"):
            prompt = f"{prompt}\n\nAn earlier answer was refused: {problem}"
        self.calls[name] += 1
        text, usage = await model.execute(prompt, attempt, timeout, state)
        self.tokens[name] += usage["total_tokens"]
        try:
            return self._schema.parse(text), usage
        except OutputValidationError as error:
            # The refused answer is billed too: so it is counted with the item.
            error.usage = usage
            raise

    async def on_error(
        self,
        exception: Exception,
        attempt: int,
        state: RetryState | None = None,
    ) -> None:
        """Move on to the next model after an answer that does not fit."""
        if state is not None and isinstance(exception, OutputValidationError):
            state.set("step", min(state.get("step", 0) + 1, len(self._models) - 1))
            state.set("problem", str(exception))

    async def aclose(self) -> None:
        """Close all models."""
        for _, model in self._models:
            await model.aclose()


def small_answer(prompt: str) -> str:
    """Answer as a small model would: a total in words is beyond it."""
    number, total = _facts(prompt)
    return json.dumps({"number": number, "total": total if total > 0 else "a lot"})


def large_answer(prompt: str) -> str:
    """Answer as a large model would."""
    number, total = _facts(prompt)
    return json.dumps({"number": number, "total": total if total > 0 else 1200.0})


def _facts(prompt: str) -> tuple[str, float]:
    number = re.search(r"INV-\d+", prompt)
    total = re.search(r"(\d+\.\d\d) euros", prompt)
    assert number is not None, "every text of this example has a number"
    return number[0], float(total[1]) if total else 0.0


TEXTS = [f"Invoice INV-{n} over {n * 12}.50 euros." for n in range(1, 10)]
TEXTS.append("Invoice INV-10 over twelve hundred euros.")


async def main() -> None:
    """Read ten invoices, one of which the small model cannot read."""
    models = {
        # Real providers: `OpenAICompatibleStrategy("gpt-5-nano")` here, a larger one below.
        SMALL: mock_strategy(MockAgent(small_answer, latency=0.01, tokens_per_call=(60, 20))),
        LARGE: mock_strategy(MockAgent(large_answer, latency=0.03, tokens_per_call=(60, 20))),
    }
    strategy = EscalatingStrategy(models)
    batch = await process_prompts(TEXTS, strategy, max_workers=5)
    for result in batch:
        print(f"{result.item_id:>3}  {result.output or result.error}  attempts: {result.attempts}")
    print(f"Calls: {dict(strategy.calls)}. Tokens: {dict(strategy.tokens)}.")
    print(
        f"Tokens of all attempts, in the results: "
        f"{batch.total_input_tokens + batch.total_output_tokens}."
    )


if __name__ == "__main__":
    asyncio.run(main())
