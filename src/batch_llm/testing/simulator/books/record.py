"""What the provider knows of one call."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from ..call import Usage
from ..faults import FaultKind

if TYPE_CHECKING:
    from ..call import Lane, Provider

Fate = Literal["open", "answered", "lost", "limited", "failed"]
"""How a call ended.

"answered" in full; "lost", done and billed, but not all of the answer reached the client, and so
not all of its usage; "limited" by a limit; "failed" before anything was done; "open" where it has
not ended, as a line of a batch until its batch has.
"""


@dataclass(slots=True)
class CallRecord:
    """One call of a model, live or a line of a batch, as the provider saw it.

    Attributes:
        started_at: simulated unix seconds.
        provider: whose API it was.
        operation: the endpoint.
        model: as the client named it.
        key: the API key.
        lane: live, or a line of a batch.
        identity: equal for equal requests.
        custom_id: of a line of a batch.
        prompt: the last turn of the user.
        fate: how it ended.
        status: of HTTP; 0 where no answer was sent.
        fault: what went wrong on purpose.
        executed: whether the model ran, and the call is billed.
        executed_at: simulated unix seconds, when it was billed; 0 where nothing was executed.
        usage: tokens billed.
        usage_told: tokens that the client heard it is billed for: all of an answered call's, none
            of a lost one's, but for streams. A stream that breaks has told what stood in the
            events that were sent: Anthropic's first one tells the input and one token of output,
            each of Gemini's the input. A stream of chat completions without
            `stream_options.include_usage` tells nothing, though it was answered.
        usd: billed; None where the price is not known, 0 where nothing was executed.
    """

    started_at: float
    provider: Provider
    operation: str
    model: str
    key: str
    lane: Lane
    identity: bytes
    custom_id: str | None = None
    prompt: str = ""
    fate: Fate = "open"
    status: int = 0
    fault: FaultKind | None = None
    executed: bool = False
    executed_at: float = 0.0
    usage: Usage = field(default_factory=Usage)
    usage_told: Usage = field(default_factory=Usage)
    usd: float | None = 0.0

    def fate_after(self, status: int, *, whole: bool) -> Fate:
        """Return how the call ends with an answer.

        Args:
            status: of HTTP; 0 where no answer was sent.
            whole: whether all of it reached the client, as it was meant.
        """
        if not self.executed:
            return "limited" if status == 429 and self.fault is None else "failed"
        # An error in a 200 tells the client nothing of what it is billed for.
        tells_usage = whole and status < 400 and self.fault is not FaultKind.ERROR_IN_200
        return "answered" if tells_usage else "lost"

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values; the identity is in hexadecimal digits."""
        return {**asdict(self), "identity": self.identity.hex()}
