"""What a provider's refusal means for jobs: whether they fail, wait, or go again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...exceptions import AuthenticationError, InputError
from ...strategies.errors import failing_fast

if TYPE_CHECKING:
    from ...exceptions import ProviderError

_BAD_FOR_GOOD: Final = frozenset({400, 404, 405, 413, 415, 422})
"""HTTP says so of a create or an upload that will not do better another time."""
_OF_CONTENT: Final = frozenset({400, 413, 422})
"""Those of them that may be said because of one job among others."""
_OF_ALL: Final = frozenset({"model_not_found", "model_not_available", "unsupported_model"})
"""Codes of what is wrong with each job of a chunk: all of them have one model."""
_BAD_KEY: Final = frozenset({401, 403})


def is_bad_key(error: ProviderError) -> bool:
    """Return whether the key is refused. Google says so as of a bad request."""
    is_told = isinstance(error, AuthenticationError)
    is_told = is_told or isinstance(error.__cause__, AuthenticationError)
    return is_told or error.status_code in _BAD_KEY


def is_for_good(error: ProviderError | InputError) -> bool:
    """Return whether jobs fail whose create or upload was refused so: it is their fault."""
    if isinstance(error, InputError):
        return True
    waits = is_bad_key(error) or has_no_credit(error)
    return error.status_code in _BAD_FOR_GOOD and not waits


def may_be_of_one(error: ProviderError | InputError) -> bool:
    """Return whether one job among others may be the reason of a refusal for good."""
    if isinstance(error, InputError):
        return True
    return error.status_code in _OF_CONTENT and error.code not in _OF_ALL


def has_no_credit(error: ProviderError) -> bool:
    """Return whether the account cannot pay; some providers say so as of a bad request."""
    return failing_fast(error) == "balance"


def jobs_wait(provider: str, error: ProviderError) -> AuthenticationError:
    """Return what a run ends with whose jobs wait for a better key, or for credit.

    Args:
        provider: who refuses, by name.
        error: of the refusal.
    """
    why = "refuses the key"
    if has_no_credit(error):
        why = "says that the account has no credit left"
    return AuthenticationError(
        f"{provider} {why}, and its jobs wait: {error}",
        status_code=error.status_code,
        code=error.code,
        request_id=error.request_id,
    )
