"""What one `batch-llm batch` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypedDict

from ...exceptions import ConfigurationError
from ..option_values import read_above, read_duration, read_key, read_path
from ..run_options import RowFlags, read_files, read_plan, read_request
from .clients import Model, model_of

if TYPE_CHECKING:
    from typing import Unpack

    from ...llm_strategies.by_name import RequestOptions
    from ...rows.plan import RowPlan
    from ..run_options import FileOptions

STATE_SUFFIX: Final = ".state"
_MAX_CONCURRENT: Final = 10
_POLL_SECONDS: Final = 30.0


class BatchFlags(RowFlags):
    """The parameters of the command, as they stand on the command line."""

    state: str | None
    max_concurrent: int | None
    items_per_batch: int | None
    deadline: str | None
    poll_interval: str | None


class ChangeFlags(TypedDict, total=False):
    """The parameters of the commands that take a state, as they stand on the command line."""

    output: str | None
    force: bool
    max_cost: float | None
    no_max_cost: bool
    max_concurrent: int | None
    poll_interval: str | None
    deadline: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """What one `batch-llm batch` was asked for.

    Attributes:
        state: where it is kept; None for an estimate, which keeps nothing.
        schema: where the model of the answers is found again, as "MODULE:MODEL"; None for a JSON
            schema, which each job holds.
    """

    files: FileOptions
    plan: RowPlan
    model: Model
    request: RequestOptions
    state: Path | None
    schema: str | None = None
    max_cost_usd: float | None = None
    max_concurrent: int = _MAX_CONCURRENT
    items_per_batch: int | None = None
    poll_interval_seconds: float = _POLL_SECONDS
    deadline_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a command that takes a state sets anew; None leaves a thing as it was."""

    output: str | None = None
    overwrite: bool = False
    max_cost_usd: float | None = None
    drops_max_cost: bool = False
    max_concurrent: int | None = None
    poll_interval_seconds: float | None = None
    deadline_seconds: float | None = None


def read_batch_options(flags: BatchFlags) -> BatchOptions:
    """Return what `flags` ask for.

    Raises:
        ConfigurationError: for the first value that cannot be read, or does not go with another.
    """
    files, schema = read_files(flags, is_trial=flags["estimate"]), flags["schema"]
    has_class = schema is not None and not schema.lower().endswith(".json")
    read_key(flags["api_key_env"])  # refused before anything is read
    return BatchOptions(
        files=files,
        plan=read_plan(flags),
        model=model_of(flags["model"], flags["api_key_env"]),
        request=read_request(flags),
        state=None if flags["estimate"] else _state(flags["state"], files.output),
        schema=schema if has_class else None,
        max_cost_usd=_above("--max-cost", flags["max_cost"]),
        max_concurrent=flags["max_concurrent"] or _MAX_CONCURRENT,
        items_per_batch=flags["items_per_batch"],
        poll_interval_seconds=_duration("--poll-interval", flags["poll_interval"]) or _POLL_SECONDS,
        deadline_seconds=_duration("--deadline", flags["deadline"]),
    )


def read_changes(**flags: Unpack[ChangeFlags]) -> Changes:
    """Return what a command that takes a state sets anew.

    Raises:
        ConfigurationError: for a value that cannot be read, or two that contradict each other.
    """
    max_cost, drops = flags.get("max_cost"), flags.get("no_max_cost", False)
    if drops and max_cost is not None:
        raise ConfigurationError("--no-max-cost and --max-cost do not go together: give one.")
    return Changes(
        output=flags.get("output"),
        overwrite=flags.get("force", False),
        max_cost_usd=_above("--max-cost", max_cost),
        drops_max_cost=drops,
        max_concurrent=flags.get("max_concurrent"),
        poll_interval_seconds=_duration("--poll-interval", flags.get("poll_interval")),
        deadline_seconds=_duration("--deadline", flags.get("deadline")),
    )


def _duration(option: str, value: str | None) -> float | None:
    return None if value is None else read_duration(option, value)


def _state(value: str | None, output: Path | None) -> Path:
    if value is None and output is None:
        raise ConfigurationError(
            "Standard output has no name that a state could be called after: add --state FILE, "
            "such as --state reviews.state."
        )
    path = Path(f"{output}{STATE_SUFFIX}") if value is None else read_path(value)
    if path is None or (value is not None and not value.strip()):
        raise ConfigurationError(f"--state takes the path of a file, not {value!r}.")
    return path


def _above(option: str, value: float | None) -> float | None:
    return None if value is None else read_above(option, value)
