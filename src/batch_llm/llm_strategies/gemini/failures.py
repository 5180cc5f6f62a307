"""Failures of Google's SDK, as errors of this package."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from ...exceptions import (
    ConfigurationError,
    ConnectionFailedError,
    MalformedAnswerError,
    ProviderTimeoutError,
)
from ...strategies.retry_after import suggested_wait
from ...strategies.unsent import was_never_sent
from ...wire.gemini_errors import error_from_exception

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationError

# The SDK sends with httpx, httpx2 or aiohttp, whichever is there: their errors go by name.
_TIMEOUTS = frozenset({"TimeoutException", "TimeoutError"})
_CONNECTIONS = frozenset({"TransportError", "ClientConnectionError", "ClientPayloadError"})
_NOT_JSON = frozenset({"JSONDecodeError", "UnknownApiResponseError"})


@contextmanager
def gemini_failures(*private: str) -> Iterator[None]:
    """Turn what the SDK raises in this block into errors of this package.

    Args:
        private: prompts, of which no error may hold a part.

    Raises:
        ProviderError: as `exceptions.py` draws them.
        ConfigurationError: if the SDK refuses the strategy's `config`.
    """
    try:
        yield
    # Broad: the SDK is not imported here, so its errors are known by their shape.
    except Exception as error:
        refused = error_from_exception(error, retry_after=suggested_wait(error), private=private)
        own = refused or _from_validation(error) or _from_transport(error)
        if own is None:
            raise
        raise own from error


def _from_transport(error: Exception) -> Exception | None:
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _TIMEOUTS:
        return ProviderTimeoutError(f"Gemini gave no answer in time ({type(error).__name__}).")
    if names & _CONNECTIONS or isinstance(error, OSError):
        return ConnectionFailedError(
            f"The connection to Gemini failed ({type(error).__name__}).",
            was_sent=not was_never_sent(error),
        )
    if names & _NOT_JSON:
        return MalformedAnswerError("Gemini's answer is not JSON.")
    return None


def _from_validation(error: Exception) -> Exception | None:
    import pydantic

    if not isinstance(error, pydantic.ValidationError):
        return None
    if error.title.endswith("Config"):
        return ConfigurationError(f"config is not one that Gemini's SDK takes: {_fields(error)}")
    return MalformedAnswerError(f"Gemini's answer is not in its own format: {_fields(error)}")


def _fields(error: ValidationError) -> str:
    """Return which fields are wrong, and how; pydantic's own text quotes their values."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in details[:5])
