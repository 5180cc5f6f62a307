"""Money: what calls cost, what they can cost at most, and whether a failed one was billed.

Pure: nothing here makes a call or downloads a price.
"""

from ..base.token_estimate import estimate_tokens
from .billing import Billing, billing_of
from .estimate import Estimate
from .model_limits import ModelLimits, limits_of
from .price_list import BilledTokens, Lane, cost_usd, lacks_batch_price, most_usd, price
from .provider_addresses import provider_at
from .spending import Spending

__all__ = [
    "BilledTokens",
    "Billing",
    "Estimate",
    "Lane",
    "ModelLimits",
    "Spending",
    "billing_of",
    "cost_usd",
    "estimate_tokens",
    "lacks_batch_price",
    "limits_of",
    "most_usd",
    "price",
    "provider_at",
]
