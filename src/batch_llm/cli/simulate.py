"""`batch-llm simulate`: the simulator, until it is stopped."""

from __future__ import annotations

import json
import signal
import threading
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..exceptions import ConfigurationError
from ..testing.simulator import Simulator, fault_from_text, mixed_faults
from ..testing.simulator.reading import read_settings as read_settings_of
from .exit_status import ExitStatus

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from ..testing.simulator import SimulatorSettings
    from .stderr import ErrorConsole


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """What one `batch-llm simulate` was asked for; None leaves it to the file or the default."""

    host: str
    port: int
    config: str | None = None
    answers: str | None = None
    seed: int | None = None
    keys: tuple[str, ...] = ()
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    faults: tuple[str, ...] = ()
    fault_rate: float | None = None
    latency_seconds: float | None = None
    latency_kind: str | None = None
    speed: float | None = None
    books: str | None = None


def simulate(options: SimulateOptions, console: ErrorConsole) -> ExitStatus:
    """Run the simulator until Ctrl-C or SIGTERM.

    Raises:
        ConfigurationError: for a setting that cannot work, a file that cannot be read, or a port
            that is taken.
    """
    settings = read_settings(options)
    with (
        _stop_signal() as stopped,
        Simulator(settings, host=options.host, port=options.port) as simulator,
    ):
        typer.echo(_opening(simulator))
        stopped.wait()
        closing = _closing(simulator)
    console.say(closing)
    return ExitStatus.SUCCEEDED


def read_settings(options: SimulateOptions) -> SimulatorSettings:
    """Return the settings of the file, with what the options say put over them.

    Raises:
        ConfigurationError: naming the field, for a setting that cannot work.
    """
    fields = {} if options.config is None else _read_file(Path(options.config))
    fields.update(_given(options))
    try:
        return read_settings_of(fields)
    except ConfigurationError as error:
        where = "" if options.config is None else f". Check {options.config}."
        raise ConfigurationError(f"{error}{where}") from None


def _given(options: SimulateOptions) -> dict[str, Any]:
    faults = [fault_from_text(text) for text in options.faults]
    if options.fault_rate is not None:
        faults += mixed_faults(options.fault_rate)
    limit = {
        "requests_per_minute": options.requests_per_minute,
        "tokens_per_minute": options.tokens_per_minute,
    }
    latency = {"seconds": options.latency_seconds, "kind": options.latency_kind}
    given: dict[str, Any] = {
        "answers": options.answers,
        "seed": options.seed,
        "keys": options.keys or None,
        "limits": (limit,) if any(value is not None for value in limit.values()) else None,
        "faults": faults or None,
        "latency": {name: value for name, value in latency.items() if value is not None} or None,
        "speed": options.speed,
        "books": options.books,
    }
    return {name: value for name, value in given.items() if value is not None}


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        fields = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"Cannot read the settings of {path}, which is to be JSON, or TOML with the suffix "
            f".toml: {error}"
        ) from error
    if not isinstance(fields, dict):
        raise ConfigurationError(f"The settings of {path} are no JSON object.")
    return fields


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
    """Give what is set by Ctrl-C or SIGTERM; put back the handlers that were there."""
    stopped = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _opening(simulator: Simulator) -> str:
    lines = [f"# The simulator runs at {simulator.base_url}. Ctrl-C stops it."]
    lines += [f"export {name}={value}" for name, value in simulator.environment().items()]
    return "\n".join(lines)


def _closing(simulator: Simulator) -> str:
    sums = simulator.books.totals()
    counts = {
        "answered": sums.answered,
        "lost on the way": sums.lost,
        "refused by limits": sums.limited,
        "failed": sums.failed,
    }
    ends = ", ".join(f"{count:,} {end}" for end, count in counts.items() if count)
    tokens = f"{sums.input_tokens:,} input and {sums.output_tokens:,} output tokens"
    unpriced = f", and {_calls(sums.unpriced)} of unknown price" if sums.unpriced else ""
    return (
        f"Stopped. {_calls(sums.requests)} of models{f' ({ends})' if ends else ''}; "
        f"billed: {tokens}, "
        f"{sums.usd:.4f} simulated USD{unpriced}."
    )


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count:,} calls"
