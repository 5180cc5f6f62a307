"""What can go wrong, and when."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from ..call import ModelCall


class FaultKind(str, Enum):
    """The ways in which a provider, or the way to it, fails."""

    STATUS = "status"
    """An error of HTTP with the provider's body: `status`, by default 500. Nothing is executed."""
    REFUSED = "refused"
    """The server stops listening for `seconds` and drops this connection: connection refused."""
    RESET_BEFORE = "reset_before"
    """The connection is reset before anything was done."""
    HANG = "hang"
    """No answer, for `seconds`; then the connection is reset. Nothing is executed."""
    DROPPED = "dropped"
    """Accepted, done and billed; the connection is reset before the answer."""
    RESET_IN_BODY = "reset_in_body"
    """Done and billed; the connection is reset in the middle of the answer."""
    SLOW_BODY = "slow_body"
    """The whole answer, in small pieces over `seconds`."""
    TRUNCATED_JSON = "truncated_json"
    """Half of the JSON; the status stays, as with the next two."""
    INVALID_JSON = "invalid_json"
    """A body that is no JSON."""
    WRONG_CONTENT_TYPE = "wrong_content_type"
    """An HTML page, as from a proxy in between."""
    ERROR_IN_200 = "error_in_200"
    """Status 200, and a body that reports an error."""
    EMPTY = "empty"
    """Done and billed; the answer holds no choice, no content, no candidate."""
    REFUSAL = "refusal"
    """Done and billed; the model declines."""
    SAFETY = "safety"
    """Done and billed; a safety filter withholds the answer."""
    LENGTH = "length"
    """Done and billed; the answer stops half-way, at a limit of tokens."""
    STALE_LIST = "stale_list"
    """A list leaves out what was made in the last `seconds`."""
    BATCH_ONLY_ERRORS = "batch_only_errors"
    """A batch completes, and every line of it has failed."""
    BATCH_MISSING_LINES = "batch_missing_lines"
    """`share` of a batch's lines are missing from its results."""
    BATCH_SHUFFLED = "batch_shuffled"
    """A batch's results come in another order."""
    BATCH_EXPIRED = "batch_expired"
    """A batch expires with `share` of its lines done."""
    BATCH_FAILED = "batch_failed"
    """A batch fails as a whole."""
    BATCH_NO_METADATA = "batch_no_metadata"
    """`share` of Gemini's inline results come without their key."""


BEFORE: Final = frozenset(
    {FaultKind.STATUS, FaultKind.REFUSED, FaultKind.RESET_BEFORE, FaultKind.HANG}
)
"""Nothing is executed, nothing billed."""
OF_TRANSPORT: Final = frozenset(
    {
        FaultKind.DROPPED,
        FaultKind.RESET_IN_BODY,
        FaultKind.SLOW_BODY,
        FaultKind.TRUNCATED_JSON,
        FaultKind.INVALID_JSON,
        FaultKind.WRONG_CONTENT_TYPE,
    }
)
"""Executed and billed; the way back fails, whatever the endpoint."""
OF_ANSWER: Final = frozenset(
    {
        FaultKind.ERROR_IN_200,
        FaultKind.EMPTY,
        FaultKind.REFUSAL,
        FaultKind.SAFETY,
        FaultKind.LENGTH,
    }
)
"""Executed and billed; a model's answer is not what was hoped for."""
OF_BATCH: Final = frozenset(kind for kind in FaultKind if kind.value.startswith("batch_"))
"""Happens to a batch as a whole."""


class Fault(BaseModel):
    """One thing that goes wrong, and how often.

        Fault(kind="status", status=503, rate=0.1)          # by rate
        Fault(kind="dropped", operation="batches.create", calls=(1,))   # by script
        Fault(kind="refusal", prompt_contains="weather")    # by request

    A fault applies to a request that fits all that it names. Of several that apply, the first one
    wins. One request can also ask for a fault itself, by the header `x-sim-fault`, written as for
    `fault_from_text`: "503", "reset_before", or a fault as JSON.

    Attributes:
        kind: what happens.
        rate: share of the requests that fit, 0 to 1; which ones depends on the seed alone.
        calls: numbers of the calls that fail, of those that fit: 1 is the first. Empty is all.
        times: the most times that it happens; None is no end.
        provider: "openai", "anthropic" or "gemini"; None is any, as with all below.
        operation: the endpoint, such as "chat.completions", "messages" or "batches.create".
        model: the model's name.
        key: the API key.
        lane: "live", or "batch" for single lines of batches.
        custom_id: of a line of a batch.
        prompt_contains: a part of the prompt.
        status: of HTTP, for the kind "status".
        error_type: the provider's own word for the error; None is the usual one for the status.
        retry_after_seconds: told to the client, for the kind "status"; None tells nothing.
        share: of a batch's lines, 0 to 1, for the kinds that concern a part of them.
        seconds: simulated seconds that it takes, for the kinds that take time.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_enum_values=False
    )

    kind: FaultKind
    rate: float = Field(default=1.0, ge=0, le=1)
    calls: tuple[int, ...] = ()
    times: int | None = Field(default=None, ge=1)
    provider: Literal["openai", "anthropic", "gemini"] | None = None
    operation: str | None = None
    model: str | None = None
    key: str | None = None
    lane: Literal["live", "batch"] | None = None
    custom_id: str | None = None
    prompt_contains: str | None = None
    status: int = Field(default=500, ge=400, le=599)
    error_type: str | None = None
    retry_after_seconds: float | None = Field(default=None, ge=0)
    share: float = Field(default=0.5, ge=0, le=1)
    seconds: float = Field(default=1.0, ge=0)

    @model_validator(mode="after")
    def _check_calls(self) -> Self:
        if any(number < 1 for number in self.calls):
            raise ValueError("calls are counted from 1")
        return self

    def fits_call(self, call: ModelCall) -> bool:
        """Return whether all that this fault names is true of `call`."""
        return (
            self.fits(call.provider, call.operation, call.key)
            and (self.model is None or self.model == call.model)
            and (self.lane is None or self.lane == call.lane)
            # Nobody waits for the bytes of a line.
            and (self.kind is not FaultKind.SLOW_BODY or call.lane == "live")
            and (self.custom_id is None or self.custom_id == call.custom_id)
            and (self.prompt_contains is None or self._is_in_prompt(call))
        )

    def fits(self, provider: str, operation: str, key: str) -> bool:
        """Return whether the endpoint and the key are those that this fault names."""
        return (
            (self.provider is None or self.provider == provider)
            and (self.operation is None or self.operation == operation)
            and (self.key is None or self.key == key)
        )

    def concerns_calls_only(self) -> bool:
        """Return whether it names what only a call of a model has."""
        named = (self.model, self.lane, self.custom_id, self.prompt_contains)
        return self.kind in OF_ANSWER or any(name is not None for name in named)

    def _is_in_prompt(self, call: ModelCall) -> bool:
        wanted = self.prompt_contains or ""
        return wanted in call.system or any(wanted in text for _, text in call.messages)
