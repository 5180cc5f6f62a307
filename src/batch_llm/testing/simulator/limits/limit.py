"""What a provider allows."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

WHAT_IS_LIMITED: Final = (
    "requests_per_minute",
    "tokens_per_minute",
    "input_tokens_per_minute",
    "output_tokens_per_minute",
    "slope",
    "capacity",
    "enqueued_tokens",
)


class Slope(BaseModel):
    """Refuses a sudden increase, as providers do.

    Attributes:
        factor: the starts of a window may be this many times those of the window before.
        window_seconds: of the windows compared.
        floor: starts in a window that are always allowed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    factor: float = Field(default=2.0, gt=0)
    window_seconds: float = Field(default=10.0, gt=0)
    floor: int = Field(default=10, ge=1)


class Capacity(BaseModel):
    """A server that refuses nothing and grows slower, as vLLM does.

    Attributes:
        slots: calls that run at once; the others wait their turn.
        slowdown: with all slots taken a call takes 1 + `slowdown` times as long as alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slots: int = Field(ge=1)
    slowdown: float = Field(default=1.0, ge=0)


class Limit(BaseModel):
    """What one quota scope, a key and a model, may use. None is no limit.

    Of several limits that fit a call, the one that came into force last counts; of those that came
    together, the first.

    Attributes:
        provider: whom it is for; None is any, as with the next two.
        model: the model's name.
        key: the API key.
        requests_per_minute: starts.
        tokens_per_minute: input and output together; at Gemini input alone. A call of OpenAI
            that names its most output tokens holds all of these until it is answered.
        input_tokens_per_minute: input alone; what a cache gave is free at Anthropic.
        output_tokens_per_minute: output alone, counted when it has been made.
        burst_seconds: how much may be used at once, in seconds of the rate: 60 lets a full
            minute's worth start in one moment, 1 spreads it by the second. A call that is larger
            than that, but not than a minute's worth, may start when nothing is used.
        slope: how fast use may grow.
        capacity: how many calls run at once.
        enqueued_tokens: input tokens of all batches that are not at an end.
        after_seconds: simulated seconds from when it was set until it comes into force, and takes
            the place of what was in force until then.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    provider: Literal["openai", "anthropic", "gemini"] | None = None
    model: str | None = None
    key: str | None = None
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    input_tokens_per_minute: float | None = Field(default=None, gt=0)
    output_tokens_per_minute: float | None = Field(default=None, gt=0)
    burst_seconds: float = Field(default=60.0, gt=0)
    slope: Slope | None = None
    capacity: Capacity | None = None
    enqueued_tokens: int | None = Field(default=None, ge=0)
    after_seconds: float = Field(default=0.0, ge=0)

    def is_meant(self) -> bool:
        """Return whether it limits something, exempts a model or a key, or lifts what was before.

        An empty one is a mistake: it would lift the limits behind it.
        """
        narrowed = self.after_seconds or self.provider or self.model or self.key
        return bool(narrowed) or any(getattr(self, name) is not None for name in WHAT_IS_LIMITED)

    def fits(self, provider: str, model: str, key: str) -> bool:
        """Return whether this limit is for such calls."""
        return (
            self.provider in (None, provider)
            and self.model in (None, model)
            and self.key in (None, key)
        )
