"""What is kept, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from ..base import empty_usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from ..base import TokenUsage
    from .identity import ItemIdentity

KeptOutcome = Literal["succeeded", "failed"]


class KeptOutput(NamedTuple):
    """An output in the form in which it is kept; an `OutputCodec` makes and reads it.

    Attributes:
        content: as JSON.
        class_path: "module:QualName" of the class to make it of, where the strategy's output type
            does not say; else None.
    """

    content: bytes
    class_path: str | None = None


class Settlement(NamedTuple):
    """What became of a reserved call.

    Attributes:
        call_number: as `Ledger.reserve` gave it.
        usd: what the call cost; None where its answer never came: its reservation is then held for
            ever, since it may have been billed.
    """

    call_number: int
    usd: float | None


@dataclass(slots=True, kw_only=True)
class ResultRecord:
    """The end of an item, to be kept. A cancelled item has none.

    Attributes:
        item: the item.
        output: what it has where it succeeded; None where it failed.
        error: "ExceptionType: message" where it failed.
        error_category: what the failure means.
        attempts: calls made.
        usage: tokens of all of them.
        cost_usd: what they cost; None where that is not known.
        duration_seconds: from the item's start to its end.
        unanswered_calls: calls whose answer never came.
        prompt_text: kept where the ledger stores prompts, and dropped where not.
        settlements: of the item's reserved calls that have not been settled yet: in one group with
            the result. None: no call was reserved, and `cost_usd` is what was spent. Where calls
            were reserved, or none was made (an answer from a cache), give a sequence, empty
            perhaps: then what it says is spent, and `cost_usd` is only remembered.
        counts_tokens: whether `usage` was used by calls of this item; False where it is only
            remembered: the answer came from a cache, or from an equal item's call.
        finish_reason: why the answer ended; None where the strategy does not say.
    """

    item: ItemIdentity
    output: KeptOutput | None = None
    error: str | None = None
    error_category: str | None = None
    attempts: int = 0
    usage: TokenUsage = field(default_factory=empty_usage)
    cost_usd: float | None = None
    duration_seconds: float = 0.0
    unanswered_calls: int = 0
    prompt_text: str | None = field(default=None, repr=False)
    settlements: Sequence[Settlement] | None = None
    counts_tokens: bool = True
    finish_reason: str | None = None


@dataclass(slots=True, kw_only=True)
class KeptResult:
    """A success of an earlier run, or of another item.

    Attributes: as those of `ResultRecord`, and `ended_at`: seconds since the epoch.
    """

    item_id: str
    output: KeptOutput = field(repr=False)
    attempts: int
    usage: TokenUsage
    cost_usd: float | None
    duration_seconds: float
    unanswered_calls: int
    ended_at: float
    finish_reason: str | None = None


@dataclass(slots=True, kw_only=True)
class KeptRow:
    """One end of an item, for readers.

    Attributes: as those of `ResultRecord`, and

        output: as JSON; None where the item failed.
        prompt: its text; None where prompts are not stored.
        run: the number of the run in which it ended.
        ended_at: seconds since the epoch.
        digest: what the item is known by; see `ItemIdentity`.
    """

    item_id: str
    outcome: KeptOutcome
    output: bytes | None = field(repr=False)
    error: str | None
    error_category: str | None
    attempts: int
    usage: TokenUsage
    cost_usd: float | None
    duration_seconds: float
    unanswered_calls: int
    prompt: str | None = field(repr=False)
    run: int
    ended_at: float
    digest: bytes = field(repr=False)
    finish_reason: str | None = None


@dataclass(slots=True, kw_only=True)
class KeptRun:
    """One run.

    Attributes:
        number: from 1.
        pid: of its process.
        version: of this package.
        started_at: seconds since the epoch.
        ended_at: likewise; None while it runs, or where it was cut off.
        counts: what it counted by its end.
    """

    number: int
    pid: int
    version: str
    started_at: float
    ended_at: float | None = None
    counts: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class LedgerSummary:
    """What a ledger says of all its runs.

    Attributes:
        path: the file.
        succeeded: item ids whose newest end is a success; see `LedgerReader.results`.
        failed: item ids whose newest end is a failure.
        failures: the failed ones, by what the failure means.
        usage: tokens of all calls of all items ever kept: those of replaced failures and of older
            prompts count, and those of an answer from a cache do not count again.
        spent_usd: what all calls ever settled have cost.
        held_usd: reservations of calls that are not settled: of those in flight, where a run is
            going on, and of those whose answer never came.
        held_calls: how many these are.
        runs: oldest first.
        first_ended_at: when the first item ended, in seconds since the epoch; None without items.
        last_ended_at: likewise, the last.
    """

    path: Path
    succeeded: int = 0
    failed: int = 0
    failures: dict[str, int] = field(default_factory=dict)
    usage: TokenUsage = field(default_factory=empty_usage)
    spent_usd: float = 0.0
    held_usd: float = 0.0
    held_calls: int = 0
    runs: list[KeptRun] = field(default_factory=list)
    first_ended_at: float | None = None
    last_ended_at: float | None = None
