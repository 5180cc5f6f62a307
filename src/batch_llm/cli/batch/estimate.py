"""`batch-llm batch --estimate`: what the rows would cost, told without a call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from ...base import figures
from ..exit_status import ExitStatus
from ..wording import in_words_of_the_command
from .door import estimate as estimate_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...batch import BatchEstimate
    from ..stderr import ErrorConsole
    from .options import BatchOptions

_MOST_REFUSED = 5


def estimate(options: BatchOptions, console: ErrorConsole) -> ExitStatus:
    """Print what the rows would cost at the most; send nothing, write nothing.

    Raises:
        BatchLLMError: what is wrong with the rows or the model.
    """
    rows, found = estimate_of(options)
    for line in _lines(rows, found):
        console.print(line, soft_wrap=True)
    return ExitStatus.SUCCEEDED


def _lines(rows: int, found: BatchEstimate) -> Iterator[Text]:
    yield Text("Estimate: nothing was sent, and nothing was written.", style="yellow")
    parts = [f"{figures.count(found.jobs)} to be sent"]
    unusable = found.refused_rows + len(found.refused)
    if unusable:
        parts.append(f"{figures.count(unusable)} that cannot be used")
    yield Text(f"{figures.plural(rows, 'row')}: {', '.join(parts)}.", style="bold")
    for name, each in found.models.items():
        batches = figures.plural(each.batches, "remote batch", "remote batches")
        yield Text(f"{name}: {batches}.")
        about, most = figures.count(each.input_tokens), figures.count(each.most_input_tokens)
        yield Text(f"Tokens in: about {about}, at most {most}.")
    yield Text(f"Cost: {_cost(found)}")
    for name, why in list(found.refused.items())[:_MOST_REFUSED]:
        yield Text(f"  {name}: {in_words_of_the_command(why)}", style="red")
    if len(found.refused) > _MOST_REFUSED:
        yield Text(f"  and {figures.count(len(found.refused) - _MOST_REFUSED)} more", style="red")


def _cost(found: BatchEstimate) -> str:
    if found.low_usd is None:
        return "not known: the price of the model is not."
    low = figures.usd(found.low_usd)
    if found.most_usd is None:
        return f"from {low}, with no upper bound: --max-tokens N gives one."
    return f"from {low} to at most {figures.usd(found.most_usd)}, {_prices(found)}."


def _prices(found: BatchEstimate) -> str:
    if any(each.is_at_live_prices for each in found.models.values()):
        return "at live prices, for none of batches is listed: the provider may bill half of it"
    return "at the Batch API's prices"
