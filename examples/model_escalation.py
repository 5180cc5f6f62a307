"""Escalation: ask a small model first, and a large one only about what the small one got wrong.

Each item starts with the first strategy. An answer that does not fit the schema moves it on to the
next one, which is shown that answer and what was wrong with it. What an item remembers from one
attempt to the next is in its `RetryState`.

Run it: python examples/model_escalation.py
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, Field

from batch_llm import EscalatingStrategy, OpenAICompatibleStrategy, process_prompts
from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from batch_llm.testing.simulator import ModelCall

SMALL, LARGE = "gpt-4.1-nano", "gpt-4.1"


class Invoice(BaseModel):
    """What is to be found in each text."""

    number: str = Field(pattern=r"^INV-\d+$")
    total: float = Field(gt=0)


def answer(call: ModelCall) -> dict[str, object]:
    """Answer as the model would that is called: a total in words is beyond the small one."""
    text = call.messages[0][1]
    number, total = re.search(r"INV-\d+", text), re.search(r"(\d+\.\d\d) euros", text)
    assert number is not None, "every text of this example has a number"
    in_words = 1200.0 if call.model == LARGE else -1.0
    return {"number": number[0], "total": float(total[1]) if total else in_words}


TEXTS = [f"Invoice INV-{n} over {n * 12}.50 euros." for n in range(1, 10)]
TEXTS.append("Invoice INV-10 over twelve hundred euros.")


async def main() -> None:
    """Read ten invoices, one of which the small model cannot read."""
    with Simulator(answers=answer) as simulator:
        # Real providers: leave out base_url and api_key, and set OPENAI_API_KEY.
        small, large = (
            OpenAICompatibleStrategy(
                model, base_url=simulator.openai_base_url, api_key="any", output_schema=Invoice
            )
            for model in (SMALL, LARGE)
        )
        batch = await process_prompts(TEXTS, EscalatingStrategy([small, large]), max_workers=5)
        for result in batch:
            print(
                f"{result.item_id:>3}  {result.output or result.error}  attempts: {result.attempts}"
            )
        calls = [record.model for record in simulator.books.records]
        print(f"Calls: {SMALL} {calls.count(SMALL)}, {LARGE} {calls.count(LARGE)}.")
        tokens = batch.total_input_tokens + batch.total_output_tokens
        print(f"Tokens of all attempts, in the results: {tokens}.")


if __name__ == "__main__":
    asyncio.run(main())
