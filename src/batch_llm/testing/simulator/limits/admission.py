"""Whether a call may start, and what the client is told about its limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Measure = Literal["requests", "tokens", "input_tokens", "output_tokens", "slope"]


@dataclass(slots=True)
class Quota:
    """What is left of one limit.

    Attributes:
        limit: a minute.
        remaining: what may still be used now.
        reset_seconds: simulated seconds until all of it may be used again.
    """

    limit: int
    remaining: int
    reset_seconds: float


@dataclass(slots=True)
class Admission:
    """The gatekeeper's word.

    Attributes:
        exceeded: the limit that stands in the way; None where the call may start.
        retry_after_seconds: simulated seconds until it may, if no other call comes between; 0
            for one that is too large.
        requested: what the call needs of the limit that it exceeds.
        too_large: the call needs more than a whole minute gives: it may never start.
        quotas: by measure, for the headers of the answer; empty where there is no limit, and for
            a call that may start: its quotas are told once it is settled.
    """

    exceeded: Measure | None = None
    retry_after_seconds: float = 0.0
    requested: int = 0
    too_large: bool = False
    quotas: Mapping[Measure, Quota] = field(default_factory=dict)
