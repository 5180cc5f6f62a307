"""What a failed call means for money."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from ..exceptions import (
    AuthenticationError,
    ConfigurationError,
    ConnectionFailedError,
    InputError,
    InvalidRequestError,
    ProviderTimeoutError,
    RateLimitedError,
)
from ..strategies.errors import status_of
from ..strategies.unsent import causes_of, was_never_sent

if TYPE_CHECKING:
    from collections.abc import Mapping

Billing: TypeAlias = Literal["billed", "free", "unknown"]
"""Whether a failed call is paid for; "unknown" may have cost all that it could."""

# Whoever answers with these waited for the model, or lost it: the model may have answered all the
# same. 520 to 530 are Cloudflare's, in front of many providers.
_OF_GATEWAYS: Final = frozenset({408, 499, 502, 504, *range(520, 529), 530, 598, 599})
# Refused by this package or by the provider, before a model was asked.
_REFUSED: Final = (
    AuthenticationError,
    ConfigurationError,
    InputError,
    InvalidRequestError,
    RateLimitedError,
)


def billing_of(exception: BaseException, usage: Mapping[str, object] | None = None) -> Billing:
    """Return what a failure of a call means for money.

    - "free": nothing was sent, or the provider refused it with an error status. Providers do not
      bill those. A gateway's own statuses (408, 499, 502, 504, 520 to 530) may hide an answer that
      was billed: they are "unknown".
    - "billed": an answer came that says what it cost, in `usage`, and is of no other use.
    - "unknown": a timeout, a connection that broke, a cancelled call, an answer without a bill (a
      failure told with status 200, say), and whatever else is not known for sure. What was
      reserved for the call stays reserved. That is so even where such a failure states tokens:
      they are those of the part that came.

    Args:
        exception: what the call raised: one of this package, or of an SDK or HTTP client.
        usage: the tokens that the failure states, if any.
    """
    if was_never_sent(exception):
        return "free"
    if _was_cut(exception):
        return "unknown" if getattr(exception, "was_sent", True) else "free"
    if not getattr(exception, "is_bill_final", True):
        return "unknown"
    if usage and any(usage.values()):
        return "billed"
    # Each of them: a library may name the status that an error means, below one that came.
    statuses = [status for link in causes_of(exception) if (status := status_of(link))]
    if statuses:
        return "free" if all(map(_is_refusal, statuses)) else "unknown"
    return "free" if isinstance(exception, _REFUSED) else "unknown"


def _is_refusal(status: int) -> bool:
    return status >= 400 and status not in _OF_GATEWAYS


def _was_cut(exception: BaseException) -> bool:
    """Return whether the call ended before its whole answer was there."""
    return isinstance(
        exception,
        (
            ConnectionError,
            ConnectionFailedError,
            ProviderTimeoutError,
            TimeoutError,
            asyncio.CancelledError,
            GeneratorExit,
            KeyboardInterrupt,
        ),
    )
