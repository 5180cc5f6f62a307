"""Makes a gate of a processor's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...core.config import AUTO
from .common import CommonLimits
from .gate import Gate
from .starts import Starts
from .token_limits import TokenLimits

if TYPE_CHECKING:
    from ...core.config import ProcessorConfig
    from ...strategies import RateLimitStrategy
    from ..events import Events
    from .shared_permits import SharedPermits

# A call's tokens are held for longer than a minute, by the time that it takes.
_CATCH_UP: Final = 1.2


def new_gate(
    config: ProcessorConfig,
    rate_limits: RateLimitStrategy,
    events: Events,
    *,
    earlier: Gate | None = None,
) -> Gate:
    """Return a gate for the running event loop.

    Args:
        config: its limits a minute, those shared with other processes, and `max_workers`, where
            "auto" has the gate find the number of calls in flight.
        rate_limits: how long to cool down, and how slowly to start again.
        events: who hears of cooldowns.
        earlier: the gate of the same settings on another loop, whose use ends with this. What it
            knows holds on: limits of a minute do not begin anew. (Not so where one of the two
            loops keeps a time of its own: its moments mean nothing on the other.)

    Raises:
        MissingExtraError: for shared limits where `limits` and `redis` are not installed.
    """
    is_adaptive = config.max_workers == AUTO
    gate = Gate(rate_limits, events, common=_common(config), is_adaptive=is_adaptive)
    if earlier is not None and earlier.tells_common_time and gate.tells_common_time:
        gate.follow(earlier)
    return gate


def _common(config: ProcessorConfig) -> CommonLimits | None:
    rpm = config.max_requests_per_minute
    starts = None if rpm is None else Starts(rpm)
    tokens, shared = _tokens(config), _shared(config)
    if starts is None and tokens is None and shared is None:
        return None
    return CommonLimits(starts, tokens, shared)


def _tokens(config: ProcessorConfig) -> TokenLimits | None:
    limits = TokenLimits(_CATCH_UP)
    limits.limit(
        total=config.max_tokens_per_minute,
        input_tokens=config.max_input_tokens_per_minute,
        output_tokens=config.max_output_tokens_per_minute,
    )
    return limits if limits.is_limited else None


def _shared(config: ProcessorConfig) -> SharedPermits | None:
    if config.shared_limits is None:
        return None
    from .shared_permits import SharedPermits

    return SharedPermits(config.shared_limits)
