"""What tokens cost, in USD, by the public price lists that `genai-prices` carries.

Nothing is downloaded: the prices are those of the installed version.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Literal, Protocol

from .exceptions import MissingExtraError

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

Lane = Literal["live", "batch"]

_PER_MILLION: Final = 1e-6
# Some prices change with the date, and some by the hour: none between two of these.
_HALF_HOUR_SECONDS: Final = 1_800
# What the price list calls a provider, where it is not what we call it.
_LISTED_AS: Final = {"gemini": "google"}


class BilledTokens(Protocol):
    """What a call is billed for, in tokens."""

    @property
    def input_tokens(self) -> int:
        """All of the input, what a cache gave or took included."""
        ...

    @property
    def output_tokens(self) -> int:
        """All of the output, reasoning included: providers bill both alike."""
        ...

    @property
    def cached_input_tokens(self) -> int:
        """The part of the input that was read from a cache."""
        ...

    @property
    def cache_write_tokens(self) -> int:
        """The part of the input that was written to a cache, for whatever time."""
        ...

    @property
    def hour_cache_write_tokens(self) -> int:
        """The part of these that was written for an hour, which costs more at Anthropic."""
        ...


def price(provider: str, model: str, usage: BilledTokens, *, lane: Lane = "live") -> float | None:
    """Return what a call costs today, in USD; None where the price is not known.

    Args:
        provider: "openai", "anthropic", "gemini", or another that `genai-prices` knows.
        model: as the provider names it; snapshots and Gemini's "models/…" too.
        usage: the tokens of one call: where a price depends on the size of a prompt, all of the
            call has the price of its size.
        lane: "batch" is the Batch API's price; the live one where no other is listed.

    Raises:
        MissingExtraError: if `genai-prices` is not installed.
    """
    tiers = _tiers(provider, model, lane, int(time.time() // _HALF_HOUR_SECONDS))
    for tier in tiers:
        if usage.input_tokens > tier.above_input_tokens:
            return tier.cost(usage)
    return None


def is_installed() -> bool:
    """Return whether prices can be asked for."""
    return find_spec("genai_prices") is not None


@dataclass(frozen=True, slots=True)
class _Tier:
    """USD a token, for calls of more than so many input tokens."""

    above_input_tokens: int
    fresh_input: float
    cached_input: float
    cache_write: float
    hour_cache_write: float
    output: float

    def cost(self, usage: BilledTokens) -> float:
        cached, written = usage.cached_input_tokens, usage.cache_write_tokens
        for_hour = usage.hour_cache_write_tokens
        return (
            max(0, usage.input_tokens - cached - written) * self.fresh_input
            + cached * self.cached_input
            + (written - for_hour) * self.cache_write
            + for_hour * self.hour_cache_write
            + usage.output_tokens * self.output
        )


@lru_cache(maxsize=1_024)
def _tiers(provider: str, model: str, lane: Lane, half_hour: int) -> tuple[_Tier, ...]:
    """Return the tiers of a model, the highest first; none where it has no price.

    Looking one up takes 400 times as long as using it, so that they are kept; `half_hour` makes
    them be looked up anew when a price may have changed.
    """
    today = datetime.fromtimestamp(half_hour * _HALF_HOUR_SECONDS, UTC)
    listed = _listed(provider, model, lane, today)
    if listed is None:
        return ()
    starts = {-1}  # below a call without any input
    for listed_price in vars(listed).values():
        starts.update(tier.start for tier in getattr(listed_price, "tiers", ()))
    return tuple(_tier(listed, start) for start in sorted(starts, reverse=True))


def _listed(provider: str, model: str, lane: Lane, today: datetime) -> ModelPrice | None:
    try:
        from genai_prices import Usage, calc_price
    except ImportError as error:
        raise MissingExtraError("The price of a call", "simulator") from error
    name = model.rpartition("/")[2] if provider == "gemini" else model
    context = {"processing": "batch"} if lane == "batch" else None
    try:
        found = calc_price(
            Usage(),
            name,
            provider_id=_LISTED_AS.get(provider, provider),
            genai_request_timestamp=today,
            price_context=context,
        )
    except LookupError:
        return None
    listed = found.model_price
    has_price = listed.input_mtok is not None or listed.output_mtok is not None
    return listed if has_price else None


def _tier(listed: ModelPrice, start: int) -> _Tier:
    """Return the prices above `start` input tokens; a cache without a price is plain input."""
    fresh = _rate(listed, "input_mtok", start, 0.0)
    written = _rate(listed, "cache_write_mtok", start, fresh)
    return _Tier(
        start,
        fresh,
        _rate(listed, "cache_read_mtok", start, fresh),
        written,
        _rate(listed, "cache_write_1h_mtok", start, written),
        _rate(listed, "output_mtok", start, 0.0),
    )


def _rate(listed: ModelPrice, key: str, start: int, otherwise: float) -> float:
    """Return USD a token above `start` input tokens; `otherwise` where none is listed."""
    from genai_prices.types import TieredPrices

    listed_price = getattr(listed, key, None)
    if isinstance(listed_price, TieredPrices):
        reached = [tier.price for tier in listed_price.tiers if tier.start <= start]
        listed_price = reached[-1] if reached else listed_price.base
    return otherwise if listed_price is None else float(listed_price) * _PER_MILLION
