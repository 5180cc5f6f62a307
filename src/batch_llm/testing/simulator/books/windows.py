"""The most that any sliding window of time held."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from ....exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

TokenMeasure = Literal["tokens", "input_tokens", "output_tokens"]


class Spent(NamedTuple):
    """Tokens, and when they were billed; the time in simulated unix seconds."""

    moment: float
    input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class _Starts:
    """Starts that leave the window together: when the last one of them does."""

    first: float
    last: float
    count: int


@dataclass(slots=True)
class _Bills:
    """Executed calls that leave the window together: when the last one of them does."""

    first: float
    last: float
    calls: int
    inputs: int
    outputs: int


class StartWindow:
    """Counts starts in a window that slides with time, and remembers the most it ever held.

    A window is half open: of two starts as far apart as it is long, it holds one. What has left
    the window is forgotten. What starts within a grain of time is kept as one, and leaves as one:
    memory then holds at most `seconds / grain_seconds + 2` entries, however many starts there are.
    The most is exact where no start shares its grain with a later one; else it is never too low,
    and never above what a window that is longer by a grain held.

    Args:
        seconds: how long the window is; above 0.
        grain_seconds: what is kept as one; 0 keeps each start, and is exact.
    """

    __slots__ = ("_count", "_grain_seconds", "_seconds", "_starts", "most")

    def __init__(self, seconds: float, grain_seconds: float = 0.0) -> None:
        self._seconds = _checked(seconds)
        self._grain_seconds = grain_seconds
        self._starts: deque[_Starts] = deque()
        self._count = 0
        self.most = 0

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self._starts)

    def add(self, moment: float) -> None:
        """Count a start; moments do not go back."""
        starts = self._starts
        if starts and moment < starts[-1].first + self._grain_seconds:
            latest = starts[-1]
            latest.last = moment
            latest.count += 1
        else:
            starts.append(_Starts(moment, moment, 1))
        self._count += 1
        past = moment - self._seconds
        while starts[0].last <= past:
            self._count -= starts.popleft().count
        self.most = max(self.most, self._count)


class TokenWindow:
    """Adds up executed calls and their tokens, as `StartWindow` counts starts.

    Args:
        seconds: how long the window is; above 0.
        grain_seconds: what is kept as one; 0 keeps each call, and is exact.
    """

    __slots__ = (
        "_bills",
        "_calls",
        "_grain_seconds",
        "_inputs",
        "_outputs",
        "_seconds",
        "most_calls",
        "most_inputs",
        "most_outputs",
        "most_tokens",
    )

    def __init__(self, seconds: float, grain_seconds: float = 0.0) -> None:
        self._seconds = _checked(seconds)
        self._grain_seconds = grain_seconds
        self._bills: deque[_Bills] = deque()
        self._calls = self._inputs = self._outputs = 0
        self.most_calls = self.most_tokens = self.most_inputs = self.most_outputs = 0

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self._bills)

    def add(self, spent: Spent) -> None:
        """Add an executed call; moments do not go back."""
        self._keep(spent)
        self._calls += 1
        self._inputs += spent.input_tokens
        self._outputs += spent.output_tokens
        self._forget(spent.moment - self._seconds)
        self.most_calls = max(self.most_calls, self._calls)
        self.most_inputs = max(self.most_inputs, self._inputs)
        self.most_outputs = max(self.most_outputs, self._outputs)
        self.most_tokens = max(self.most_tokens, self._inputs + self._outputs)

    def _keep(self, spent: Spent) -> None:
        moment, inputs, outputs = spent
        bills = self._bills
        if bills and moment < bills[-1].first + self._grain_seconds:
            latest = bills[-1]
            latest.last = moment
            latest.calls += 1
            latest.inputs += inputs
            latest.outputs += outputs
        else:
            bills.append(_Bills(moment, moment, 1, inputs, outputs))

    def _forget(self, past: float) -> None:
        bills = self._bills
        while bills[0].last <= past:
            gone = bills.popleft()
            self._calls -= gone.calls
            self._inputs -= gone.inputs
            self._outputs -= gone.outputs

    def most(self, measure: TokenMeasure) -> int:
        """Return the most tokens that it ever held."""
        if measure == "tokens":
            return self.most_tokens
        return self.most_inputs if measure == "input_tokens" else self.most_outputs


class Windows:
    """The windows of one scope, or of all of them together.

    Args:
        seconds: how long the windows are.
        grain_seconds: what is kept as one, so that memory does not grow with the calls.
    """

    __slots__ = ("executed", "started")

    def __init__(self, seconds: float, grain_seconds: float = 0.0) -> None:
        self.started = StartWindow(seconds, grain_seconds)
        self.executed = TokenWindow(seconds, grain_seconds)

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self.started) + len(self.executed)


def _checked(seconds: float) -> float:
    if not seconds > 0:
        raise ConfigurationError(f"A window is longer than 0 seconds, not {seconds!r}.")
    return seconds


def most_starts(moments: Iterable[float], seconds: float) -> int:
    """Return the most of `moments`, in any order, that one window holds."""
    window = StartWindow(seconds)
    for moment in sorted(moments):
        window.add(moment)
    return window.most


def most_tokens(spent: Iterable[Spent], seconds: float, measure: TokenMeasure) -> int:
    """Return the most tokens of `spent`, in any order, that one window holds."""
    window = TokenWindow(seconds)
    for one in sorted(spent):
        window.add(one)
    return window.most(measure)
