"""Sends 1,000 real film reviews through three providers' Batch APIs, and compares our books.

The providers are simulated, and a rule of keywords in this file stands in for their models: it
classifies, if badly. It needs no key, but these extras:

    pip install 'batch-llm[parquet,simulator]'

Run it: python examples/batch_reviews.py [FOLDER]

It writes the results to FOLDER ("out" by default), in every format that there is.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from batch_llm import Batch
from batch_llm.batch import EXPORT_FORMATS
from batch_llm.testing.simulator import Simulator

if TYPE_CHECKING:
    from batch_llm import JobResult
    from batch_llm.testing.simulator import ModelCall

REVIEWS = Path(__file__).parent / "data" / "reviews_1000.jsonl"
QUESTION = "Is the sentiment of this film review positive or negative?\n\n"
MODELS = {
    "openai": "gpt-4.1-nano",
    "anthropic": "claude-haiku-4-5",
    "gemini": "gemini-2.5-flash-lite",
}
PRAISE = re.compile(
    r"\b(beautiful|beautifully|best|brilliant|charm|charming|clever|compelling|delight|delightful|"
    r"engaging|enjoyable|entertaining|excellent|fascinating|fresh|fun|funny|gorgeous|great|"
    r"intelligent|love|lovely|masterpiece|memorable|moving|perfect|powerful|rich|smart|solid|"
    r"stunning|superb|sweet|touching|warm|wonderful|worth)\b"
)
BLAME = re.compile(
    r"\b(awful|bad|bland|boring|cliche|cliched|cliches|contrived|depressing|disappointing|dull|"
    r"empty|fails|flat|forced|forgettable|hardly|lacks|lame|lazy|mediocre|mess|nothing|pointless|"
    r"poor|predictable|pretentious|silly|slow|stupid|tedious|thin|tired|too|ugly|uninspired|worst)\b"
)


class Review(BaseModel):
    """What is asked about each review."""

    sentiment: Literal["positive", "negative"]


@dataclass
class Outcome:
    """What one provider's batch came to.

    Attributes:
        results: by the ids of the reviews.
        most_usd: the estimate before anything was sent: what it can cost at the most.
        seconds: real ones, from the first job to the last export.
    """

    results: dict[str, JobResult]
    most_usd: float
    seconds: float

    @property
    def succeeded(self) -> int:
        """Jobs with an answer that is a `Review`."""
        return sum(isinstance(each.parsed_response, Review) for each in self.results.values())

    @property
    def tokens(self) -> int:
        """Input and output, as the results have them."""
        return sum(each.total_tokens for each in self.results.values())

    @property
    def cost_usd(self) -> float:
        """What the results say that they cost."""
        return sum(each.cost_usd or 0.0 for each in self.results.values())


def answer_by_keywords(call: ModelCall) -> Review:
    """Answer as the simulated model: more words of praise than of blame are positive."""
    text = call.prompt.removeprefix(QUESTION).lower()
    praise = len(PRAISE.findall(text)) - len(BLAME.findall(text))
    return Review(sentiment="positive" if praise > 0 else "negative")


def read_reviews() -> list[dict[str, Any]]:
    """Return the reviews: an id, a text, and people's rating from -4 to 4."""
    lines = REVIEWS.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


def classify(provider: str, reviews: list[dict[str, Any]], folder: Path) -> Outcome:
    """Estimate, run and export the batch of one provider."""
    started = time.perf_counter()
    # A real provider: leave the 0.1 out, and name a state_file, so that a crash loses nothing.
    batch = (
        Batch(items_per_batch=400, poll_interval_seconds=0.1)
        .defaults(model=MODELS[provider], response_model=Review, temperature=0, max_tokens=20)
        .add_cost_limit(usd=2.00)
        .add_jobs(reviews, QUESTION + "{text}", id_field="id")
    )
    estimate = batch.run(dry_run=True)
    if estimate.most_usd is None:
        raise SystemExit(f"No price is known for {MODELS[provider]}.")
    print(f"{provider}: {estimate.jobs} jobs, {estimate.most_usd:.4f} USD at the most", flush=True)
    run = batch.run(wait=True)
    for format_name in EXPORT_FORMATS:
        run.export(format_name, folder / f"{provider}.{format_name}")
    return Outcome(run.results(), estimate.most_usd, time.perf_counter() - started)


def show(simulator: Simulator, outcomes: dict[str, Outcome]) -> None:
    """Print a row for each provider: our figures beside those of the provider's books."""
    head = ("provider", "jobs", "succeeded", "tokens", "by books", "USD", "by books", "at most")
    print("\n" + "".join(f"{name:>11}" for name in (*head, "seconds")))
    for provider, ours in outcomes.items():
        books = simulator.books.totals(model=MODELS[provider])
        counts = (len(ours.results), ours.succeeded, ours.tokens, books.total_tokens)
        usd = (ours.cost_usd, books.usd, ours.most_usd)
        cells = [provider, *(f"{count:,}" for count in counts), *(f"{sum_:.6f}" for sum_ in usd)]
        print("".join(f"{cell:>11}" for cell in (*cells, f"{ours.seconds:.1f}")))
        if ours.tokens != books.total_tokens or abs(ours.cost_usd - books.usd) > 1e-6:
            raise SystemExit(f"{provider}: these are not the figures of its books.")
    print("Our tokens and sums are those of the providers' books.")


def main(folder: Path) -> None:
    """Run the three, compare them with the books, and tell how often people agree."""
    folder.mkdir(parents=True, exist_ok=True)
    reviews = read_reviews()
    with Simulator(speed=10_000, answers=answer_by_keywords) as simulator:
        os.environ.update(simulator.environment())
        outcomes = {provider: classify(provider, reviews, folder) for provider in MODELS}
        show(simulator, outcomes)
    said = outcomes["openai"].results
    agreed = sum(
        said[review["id"]].parsed_response
        == Review(sentiment="positive" if review["rating"] > 0 else "negative")
        for review in reviews
    )
    print(f"The keywords agree with the people who rated the reviews {agreed} times.")
    print(f"All answers: {folder}/*.csv, .json, .jsonl and .parquet")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
