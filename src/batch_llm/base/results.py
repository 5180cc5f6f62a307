"""What comes out: one result an item, and all results of a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Literal, cast, overload

from ..exceptions import ConfigurationError
from .failures import FailureGroup, group_failures
from .percentiles import percentiles
from .strategy import TOutput
from .usage import empty_usage
from .work_item import TContext

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    import pandas  # type: ignore[import-untyped]  # it ships no types
    import polars

    from .usage import TokenUsage

ERROR_MESSAGE_MAX_LENGTH = 200
"""Characters of an exception's message kept in `WorkItemResult.error`."""

CACHED_TOKEN_DISCOUNT = 0.9
"""Share of the input price that a cached token does not cost."""

USUAL_PERCENTS = (50, 90, 95, 99)

Outcome = Literal["succeeded", "failed", "cancelled", "expired"]

Origin = Literal["call", "ledger", "cache", "twin"]
"""Where an answer came from: calls of its own, an earlier run's ledger, the answer that a ledger
keeps for an equal request, or the call that an equal item made at the same time."""


def describe_error(exception: BaseException) -> str:
    """Return "ExceptionType: message", the message cut at `ERROR_MESSAGE_MAX_LENGTH`."""
    try:
        message = str(exception)
    except Exception as error:  # a foreign __str__ may raise anything
        message = f"(its message raised {type(error).__name__})"
    return f"{type(exception).__name__}: {message[:ERROR_MESSAGE_MAX_LENGTH]}"


@dataclass(slots=True)
class WorkItemResult(Generic[TOutput, TContext]):
    """The end of one item.

    Attributes:
        item_id: the item's id.
        success: whether it has an output.
        output: what the strategy returned; None where it failed.
        error: "ExceptionType: message" where it failed.
        context: the item's context, as given.
        token_usage: tokens of all attempts, failed ones included.
        gemini_safety_ratings: where a Gemini strategy was asked for metadata.
        exception: the original exception, where there was one.
        error_category: what the failure means ("rate_limit", "validation_error", …, and
            "cancelled" where the run ended before the item did).
        attempts: calls made, those refused by a rate limit included.
        duration_seconds: from the item's start to its end, waits included.
        cost_usd: what all answered calls cost, failed ones included; None where a price is not
            known. Where `origin` is not "call", what they cost then; nothing was paid anew.
        unanswered_calls: calls whose answer never came. They may have been billed, and are not in
            `cost_usd`.
        origin: where the answer came from.
        finish_reason: why the answer ended, where the strategy says so: "stop", "length" at the
            token limit, or another word of the provider's.
    """

    item_id: str
    success: bool
    output: TOutput | None = None
    error: str | None = None
    context: TContext = cast("TContext", None)  # noqa: RUF009 - a constant, typed for mypy
    token_usage: TokenUsage = field(default_factory=empty_usage)
    gemini_safety_ratings: Any = None
    exception: BaseException | None = field(default=None, repr=False)
    error_category: str | None = None
    attempts: int = 0
    duration_seconds: float = 0.0
    cost_usd: float | None = None
    unanswered_calls: int = 0
    origin: Origin = "call"
    finish_reason: str | None = None

    @property
    def is_truncated(self) -> bool:
        """Whether there is an output that stopped at the token limit."""
        return self.success and self.finish_reason == "length"

    @property
    def outcome(self) -> Outcome:
        """How the item ended."""
        if self.success:
            return "succeeded"
        return "cancelled" if self.error_category == "cancelled" else "failed"


@dataclass(slots=True)
class BatchResult(Generic[TOutput, TContext]):
    """All results of a run.

    Args:
        results: one for each item that went in.
    """

    results: list[WorkItemResult[TOutput, TContext]]

    @property
    def total_items(self) -> int:
        """Items that went in."""
        return len(self.results)

    @property
    def succeeded(self) -> int:
        """Items with an output."""
        return sum(1 for result in self.results if result.success)

    @property
    def failed(self) -> int:
        """Items without an output, cancelled ones included: `total_items - succeeded`."""
        return sum(1 for result in self.results if not result.success)

    @property
    def cancelled(self) -> int:
        """The part of `failed` that the end of the run cut short."""
        return sum(1 for result in self.results if result.outcome == "cancelled")

    @property
    def total_input_tokens(self) -> int:
        """Input tokens of all attempts."""
        return self._sum("input_tokens")

    @property
    def total_output_tokens(self) -> int:
        """Output tokens of all attempts."""
        return self._sum("output_tokens")

    @property
    def total_cached_tokens(self) -> int:
        """Input tokens that the provider read from a cache."""
        return self._sum("cached_input_tokens")

    def _sum(self, key: Literal["input_tokens", "output_tokens", "cached_input_tokens"]) -> int:
        return sum(result.token_usage.get(key) or 0 for result in self.results)

    def cache_hit_rate(self) -> float:
        """Return the share of input tokens read from a cache, 0 to 100."""
        total = self.total_input_tokens
        return self.total_cached_tokens / total * 100 if total else 0.0

    def effective_input_tokens(self) -> float:
        """Return input tokens at full price: a cached one counts a tenth."""
        return self.total_input_tokens - CACHED_TOKEN_DISCOUNT * self.total_cached_tokens

    # -- money

    @property
    def total_cost_usd(self) -> float | None:
        """What the calls of this run cost, failed ones included; None if a price is not known.

        Results that came from a ledger, a cache or an equal item cost nothing anew.
        """
        if any(result.cost_usd is None and result.attempts for result in self._called()):
            return None
        return self.known_cost_usd

    @property
    def known_cost_usd(self) -> float:
        """The part of what the calls of this run cost whose price is known."""
        return sum(result.cost_usd or 0.0 for result in self._called())

    @property
    def unanswered_calls(self) -> int:
        """Calls whose answer never came: they may be billed, and are in no cost here."""
        return sum(result.unanswered_calls for result in self.results)

    def _called(self) -> Iterator[WorkItemResult[TOutput, TContext]]:
        return (result for result in self.results if result.origin == "call")

    # -- what to make of it

    def latency_percentiles(self, *percents: float) -> dict[str, float]:
        """Return percentiles of `duration_seconds`, waits included, of items that made a call.

        Args:
            percents: above 0, at most 100; 50, 90, 95 and 99 where none are given.

        Returns:
            Seconds by name, such as `{"p50": 0.8}`: each the duration of one of the items (nearest
            rank). Empty where no item made a call.

        Raises:
            ConfigurationError: for a percentage that is none.
        """
        durations = (each.duration_seconds for each in self._called() if each.attempts)
        return percentiles(durations, percents or USUAL_PERCENTS)

    def failures(self) -> list[FailureGroup]:
        """Return what went wrong, grouped by category and exception type, the most first.

        Cancelled items are a group of their own; the counts add up to `failed`.
        """
        return group_failures(self.results)

    def summary(self) -> str:
        """Return counts, tokens, cost, latency and failures, a line each; no prompt, no answer."""
        from .summary import summary_text

        return summary_text(self)

    def _repr_html_(self) -> str:
        from .summary import summary_html

        return summary_html(self)

    # -- what to keep of it

    def to_records(self, *, include_context: bool = False) -> list[dict[str, object]]:
        """Return one flat dictionary a result, of values that JSON has.

        Keys: item_id, outcome, output, error, error_category, attempts, input_tokens,
        output_tokens, cached_input_tokens, cost_usd, duration_seconds, origin. Pydantic models and
        dataclasses become dictionaries; what JSON cannot hold becomes its text.

        Args:
            include_context: add each item's context, under `context`.
        """
        return list(self._records(include_context))

    def to_jsonl(self, path: str | os.PathLike[str], *, include_context: bool = False) -> None:
        """Write the records of `to_records`, one JSON object a line.

        The file is there in whole or as it was before, and its permissions are those of a file
        that `open` makes, or of the one that it replaces.

        Args:
            path: the file; one that exists is replaced.
            include_context: add each item's context.

        Raises:
            OSError: if it cannot be written.
        """
        from .records import write_jsonl

        write_jsonl(self._records(include_context), path)

    def to_csv(self, path: str | os.PathLike[str], *, include_context: bool = False) -> None:
        """Write the records of `to_records` below a header, as `to_jsonl` writes its file.

        None is an empty cell; outputs that are not text stand as JSON.

        Args:
            path: the file; one that exists is replaced.
            include_context: add each item's context.

        Raises:
            OSError: if it cannot be written.
        """
        from .records import columns_of, write_csv

        columns = columns_of(include_context=include_context)
        write_csv(self._records(include_context), columns, path)

    @overload
    def to_dataframe(
        self, library: Literal["pandas"] = "pandas", *, include_context: bool = False
    ) -> pandas.DataFrame: ...

    @overload
    def to_dataframe(
        self, library: Literal["polars"], *, include_context: bool = False
    ) -> polars.DataFrame: ...

    def to_dataframe(
        self, library: Literal["pandas", "polars"] = "pandas", *, include_context: bool = False
    ) -> pandas.DataFrame | polars.DataFrame:
        """Return the records of `to_records` as a data frame.

        In pandas, nested outputs stay dictionaries and lists; in polars, whose columns hold values
        of one type, they are JSON.

        Args:
            library: "pandas" or "polars".
            include_context: add each item's context.

        Raises:
            ConfigurationError: for another library; a `MissingLibraryError` if it is not installed.
        """
        from .records import columns_of, pandas_frame, polars_frame

        frames = {"pandas": pandas_frame, "polars": polars_frame}
        if library not in frames:
            raise ConfigurationError(f"library is 'pandas' or 'polars', not {library!r}.")
        columns = columns_of(include_context=include_context)
        return frames[library](self._records(include_context), columns)

    def _records(self, include_context: bool) -> Iterator[dict[str, object]]:
        from .records import record_of

        return (record_of(each, include_context=include_context) for each in self.results)

    def __iter__(self) -> Iterator[WorkItemResult[TOutput, TContext]]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)
