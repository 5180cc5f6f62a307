"""How long calls take."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from .chance import Chance

_NORMAL = NormalDist()


class Latency(BaseModel):
    """A distribution of simulated seconds.

    Attributes:
        kind: "fixed" is always `seconds`; "lognormal" has them as its median, and `sigma`;
            "long_tail" is log-normal, but `tail_share` of the calls take `tail_factor` times as
            long.
        seconds: the median, in simulated seconds.
        sigma: of the logarithm, 0 to 10; 0.5 puts 5 % of the calls above 2.3 times the median.
        tail_share: 0 to 1.
        tail_factor: 1 and up.
        seconds_per_output_token: added for each token of the answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    kind: Literal["fixed", "lognormal", "long_tail"] = "fixed"
    seconds: float = Field(default=0.0, ge=0)
    sigma: float = Field(default=0.5, ge=0, le=10)
    tail_share: float = Field(default=0.01, ge=0, le=1)
    tail_factor: float = Field(default=20.0, ge=1)
    seconds_per_output_token: float = Field(default=0.0, ge=0)

    def draw(self, chance: Chance, subject: bytes, output_tokens: int = 0) -> float:
        """Return the simulated seconds that the call `subject` takes."""
        for_tokens = self.seconds_per_output_token * output_tokens
        if self.kind == "fixed" or self.seconds == 0:
            return self.seconds + for_tokens
        return self._drawn(chance, subject) + for_tokens

    def _drawn(self, chance: Chance, subject: bytes) -> float:
        share = min(max(chance.uniform("latency", subject), 1e-9), 1 - 1e-9)
        seconds = self.seconds * math.exp(self.sigma * _NORMAL.inv_cdf(share))
        in_tail = self.kind == "long_tail" and chance.uniform("tail", subject) < self.tail_share
        return seconds * self.tail_factor if in_tail else seconds
