"""What tokens cost, in USD, by the public price lists that `genai-prices` carries.

Nothing is downloaded: the prices are those of the installed version.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

    from ..base.strategy import PricedModel
    from ..base.usage import TokenBound, TokenUsage

Lane = Literal["live", "batch"]

LOCAL: Final = "local"
"""The provider of models in this process, which cost nothing."""

_PER_MILLION: Final = 1e-6
# Some prices change with the date, and some by the hour: none between two of these.
_HALF_HOUR_SECONDS: Final = 1_800
# A call may be billed later than it is admitted: the prices of this many half hours count.
_HALF_HOURS_OF_A_CALL: Final = 3
# What the price list calls a provider, where it is not what we call it.
_LISTED_AS: Final = {"gemini": "google"}
# Parts of a bill that no count of ours tells. A price without them would be too low: it is unknown.
_UNCOUNTED: Final = (
    "input_text_messages_kcount",
    "output_audio_mtok",
    "output_citation_mtok",
    "output_image_mtok",
    "output_reasoning_mtok",
    "output_video_mtok",
    "requests_kcount",
)
# Models of which a part has a price of its own, by their names: each call of some searches the web
# for a fee, and others hear and speak.
_BILLED_OTHERWISE: Final = ("-search-", "deep-research", "-audio", "realtime", "-tts")
# Hands calls on to servers of different prices; the list has one of them.
_ROUTERS: Final = frozenset({"openrouter", "github-copilot"})


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
    """
    tier = _tier_for(provider, model, lane, usage.input_tokens)
    if tier is None:
        return None
    return tier.cost(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_tokens,
        usage.hour_cache_write_tokens,
    )


def cost_usd(priced: PricedModel, usage: TokenUsage, *, lane: Lane = "live") -> float | None:
    """Return what one call cost, in USD; None where that is not known.

    It is not known where the price is not, and where the usage states no token at all: an answer
    that came without its bill is not free. A call of the provider "local" is.

    Args:
        priced: what the call is billed as.
        usage: the tokens of one call. The sum of several may be dearer than they are, where a
            price depends on the size of a prompt.
        lane: as for `price`.
    """
    if priced.provider == LOCAL:
        return 0.0
    input_tokens, output_tokens = usage.get("input_tokens", 0), usage.get("output_tokens", 0)
    if not (input_tokens or output_tokens):
        return None
    tier = _tier_for(priced.provider, priced.model, lane, input_tokens)
    if tier is None:
        return None
    return tier.cost(
        input_tokens,
        output_tokens,
        usage.get("cached_input_tokens", 0),
        usage.get("cache_write_tokens", 0),
        usage.get("hour_cache_write_tokens", 0),
    )


def lacks_batch_price(priced: PricedModel) -> bool:
    """Return whether batches count at the live price, because no other is listed.

    That is what they cost at the most, and may be twice what the provider bills. A model of which
    no price is known lacks none: its batches count as unknown.
    """
    now = int(time.time() // _HALF_HOUR_SECONDS)
    live = _tiers(priced.provider, priced.model, "live", now)
    return live != () and live == _tiers(priced.provider, priced.model, "batch", now)


def most_usd(priced: PricedModel, bound: TokenBound, *, lane: Lane = "live") -> float | None:
    """Return the most that a call within `bound` can cost, in USD; None where nothing bounds it.

    Each token counts at the dearest price it can have: that of fresh input or of writing it to a
    cache, of any tier that the call can reach, now or within the hour.

    Args:
        priced: what the call is billed as. Nothing bounds what a router of models costs.
        bound: the most tokens.
        lane: as for `price`.
    """
    if priced.provider == LOCAL:
        return 0.0
    if bound.output_tokens is None or priced.provider in _ROUTERS:
        return None
    now = int(time.time() // _HALF_HOUR_SECONDS)
    rates = [
        rates
        for rates in _dearest(priced.provider, priced.model, lane, now)
        if rates.above_input_tokens < bound.input_tokens or rates.above_input_tokens < 0
    ]
    if not rates:
        return None
    dearest_input = max(each.input for each in rates)
    dearest_output = max(each.output for each in rates)
    return bound.input_tokens * dearest_input + bound.output_tokens * dearest_output


@dataclass(frozen=True, slots=True)
class _Tier:
    """USD a token, for calls of more than so many input tokens."""

    above_input_tokens: int
    fresh_input: float
    cached_input: float
    cache_write: float
    hour_cache_write: float
    output: float

    def cost(
        self, input_tokens: int, output_tokens: int, cached: int, written: int, for_hour: int
    ) -> float:
        return (
            max(0, input_tokens - cached - written) * self.fresh_input
            + cached * self.cached_input
            + (written - for_hour) * self.cache_write
            + for_hour * self.hour_cache_write
            + output_tokens * self.output
        )


@dataclass(frozen=True, slots=True)
class _Dearest:
    """The most that a token can cost in USD, for calls of more than so many input tokens."""

    above_input_tokens: int
    input: float
    output: float


def _tier_for(provider: str, model: str, lane: Lane, input_tokens: int) -> _Tier | None:
    for tier in _tiers(provider, model, lane, int(time.time() // _HALF_HOUR_SECONDS)):
        if input_tokens > tier.above_input_tokens:
            return tier
    return None


@lru_cache(maxsize=1_024)
def _dearest(provider: str, model: str, lane: Lane, half_hour: int) -> tuple[_Dearest, ...]:
    """Return the dearest prices from `half_hour` on; none where there is none at some time."""
    dearest: list[_Dearest] = []
    for later in range(_HALF_HOURS_OF_A_CALL):
        tiers = _tiers(provider, model, lane, half_hour + later)
        if not tiers:
            return ()
        dearest += [
            _Dearest(
                tier.above_input_tokens,
                max(tier.fresh_input, tier.cached_input, tier.cache_write, tier.hour_cache_write),
                tier.output,
            )
            for tier in tiers
        ]
    return tuple(dearest)


@lru_cache(maxsize=4_096)
def _tiers(provider: str, model: str, lane: Lane, half_hour: int) -> tuple[_Tier, ...]:
    """Return the tiers of a model, the highest first; none where it has no price.

    Looking one up takes 400 times as long as using it, so that they are kept; `half_hour` makes
    them be looked up anew when a price may have changed.
    """
    moment = datetime.fromtimestamp(half_hour * _HALF_HOUR_SECONDS, UTC)
    listed = _listed(provider, model, lane, moment)
    if listed is None:
        return ()
    starts = {-1}  # below a call without any input
    for listed_price in vars(listed).values():
        starts.update(tier.start for tier in getattr(listed_price, "tiers", ()))
    return tuple(_tier(listed, start) for start in sorted(starts, reverse=True))


def _listed(provider: str, model: str, lane: Lane, moment: datetime) -> ModelPrice | None:
    from genai_prices import Usage, calc_price

    if any(mark in f"{model}-" for mark in _BILLED_OTHERWISE):
        return None
    name = model.rpartition("/")[2] if provider == "gemini" else model
    context = {"processing": "batch"} if lane == "batch" else None
    try:
        found = calc_price(
            Usage(),
            name,
            provider_id=_LISTED_AS.get(provider, provider),
            genai_request_timestamp=moment,
            price_context=context,
        )
    except LookupError:
        return None
    listed = found.model_price
    if any(getattr(listed, part, None) is not None for part in _UNCOUNTED):
        return None
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
