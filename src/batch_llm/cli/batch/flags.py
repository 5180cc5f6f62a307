"""The flags of `batch-llm batch` that `batch-llm run` has not, or has with another meaning."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from ..flags import MONEY, OUTPUT, PACE, TRIAL

LATER = "To go on later"

ModelOption = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="openai:NAME, anthropic:NAME, gemini:NAME, or http://HOST/v1#NAME for a server that "
        "speaks OpenAI's Batch API. A name that begins as a provider's models do needs no "
        "provider: gpt-5-mini.",
    ),
]
OrderOption = Annotated[
    Literal["completion", "input"],
    typer.Option(
        help="Write results in the order in which they came, or in that of INPUT.",
        rich_help_panel=OUTPUT,
    ),
]
StateOption = Annotated[
    str | None,
    typer.Option(
        "--state",
        metavar="STATE",
        help="The file that keeps what has been done, so that nothing is lost or sent twice. "
        "Without it: OUTPUT.state.",
        rich_help_panel=LATER,
    ),
]
MaxCostOption = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="USD",
        help="The most that all remote batches may cost, above 0, at the prices of the Batch API. "
        "What does not fit is not sent.",
        rich_help_panel=MONEY,
    ),
]
EstimateOption = Annotated[
    bool,
    typer.Option(
        "--estimate",
        "--dry-run",
        help="Check every row, and tell rows, tokens and USD; send nothing, write nothing.",
        rich_help_panel=TRIAL,
    ),
]
MaxConcurrentOption = Annotated[
    int | None,
    typer.Option(
        "--max-concurrent",
        min=1,
        metavar="N",
        help="Remote batches at a time; 10 without it.",
        rich_help_panel=PACE,
    ),
]
DeadlineOption = Annotated[
    str | None,
    typer.Option(
        "--deadline",
        metavar="DURATION",
        help="When answers are needed, from the first start on, such as 6h: what no remote batch "
        "has answered by then is called live, at the full price, within --max-cost.",
        rich_help_panel=PACE,
    ),
]
NewDeadlineOption = Annotated[
    str | None,
    typer.Option(
        "--deadline",
        metavar="DURATION",
        help="Another deadline than before, which counts from now, such as 6h; the same one as "
        "before stays when it was.",
        rich_help_panel=PACE,
    ),
]
ItemsPerBatchOption = Annotated[
    int | None,
    typer.Option(
        "--items-per-batch",
        min=1,
        metavar="N",
        help="Rows in one remote batch; as many as the provider takes without it.",
        rich_help_panel=PACE,
    ),
]
PollIntervalOption = Annotated[
    str | None,
    typer.Option(
        "--poll-interval",
        metavar="DURATION",
        help="How long between two looks at a remote batch, at first: 30s without it.",
        rich_help_panel=PACE,
    ),
]

# -- of the commands that take a state

StateArgument = Annotated[
    str,
    typer.Argument(
        metavar="STATE", help="The state of a run, such as results.jsonl.state, beside its output."
    ),
]
NewOutputOption = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="OUTPUT",
        help="Where results go from now on, in the format of its suffix; - for standard output.",
        rich_help_panel=OUTPUT,
    ),
]
ForceOption = Annotated[
    bool,
    typer.Option("--force", help="Replace OUTPUT, whatever it is by now.", rich_help_panel=OUTPUT),
]
NewMaxCostOption = Annotated[
    float | None,
    typer.Option(
        "--max-cost",
        metavar="USD",
        help="The most that all of it may cost, above 0, what is spent already included.",
        rich_help_panel=MONEY,
    ),
]
NoMaxCostOption = Annotated[
    bool,
    typer.Option(
        "--no-max-cost",
        help="Keep no limit in USD any longer: the way on where none can be kept.",
        rich_help_panel=MONEY,
    ),
]
