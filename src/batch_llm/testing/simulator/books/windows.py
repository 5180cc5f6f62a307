"""The most that any sliding window of time held."""

from __future__ import annotations

from collections import deque
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


class StartWindow:
    """Counts starts in a window that slides with time, and remembers the most it ever held.

    A window is half open: of two starts as far apart as it is long, it holds one. What has left
    the window is forgotten, so that memory holds no more than one window.

    Args:
        seconds: how long the window is; above 0.
    """

    __slots__ = ("_seconds", "_starts", "most")

    def __init__(self, seconds: float) -> None:
        self._seconds = _checked(seconds)
        self._starts: deque[float] = deque()
        self.most = 0

    def add(self, moment: float) -> None:
        """Count a start; moments do not go back."""
        starts = self._starts
        starts.append(moment)
        past = moment - self._seconds
        while starts[0] <= past:
            starts.popleft()
        self.most = max(self.most, len(starts))


class TokenWindow:
    """Adds up executed calls and their tokens, as `StartWindow` counts starts.

    Args:
        seconds: how long the window is; above 0.
    """

    __slots__ = (
        "_inputs",
        "_outputs",
        "_seconds",
        "_spent",
        "most_calls",
        "most_inputs",
        "most_outputs",
        "most_tokens",
    )

    def __init__(self, seconds: float) -> None:
        self._seconds = _checked(seconds)
        self._spent: deque[Spent] = deque()
        self._inputs = self._outputs = 0
        self.most_calls = self.most_tokens = self.most_inputs = self.most_outputs = 0

    def add(self, spent: Spent) -> None:
        """Add an executed call; moments do not go back."""
        window = self._spent
        window.append(spent)
        inputs = self._inputs + spent.input_tokens
        outputs = self._outputs + spent.output_tokens
        past = spent.moment - self._seconds
        while window[0].moment <= past:
            gone = window.popleft()
            inputs -= gone.input_tokens
            outputs -= gone.output_tokens
        self._inputs, self._outputs = inputs, outputs
        self.most_calls = max(self.most_calls, len(window))
        self.most_inputs = max(self.most_inputs, inputs)
        self.most_outputs = max(self.most_outputs, outputs)
        self.most_tokens = max(self.most_tokens, inputs + outputs)

    def most(self, measure: TokenMeasure) -> int:
        """Return the most tokens that it ever held."""
        if measure == "tokens":
            return self.most_tokens
        return self.most_inputs if measure == "input_tokens" else self.most_outputs


class Windows:
    """The windows of one scope, or of all of them together.

    Args:
        seconds: how long the windows are.
    """

    __slots__ = ("executed", "started")

    def __init__(self, seconds: float) -> None:
        self.started = StartWindow(seconds)
        self.executed = TokenWindow(seconds)


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
