"""Requests that Anthropic does not take, and its words for what is wrong with a field."""

from __future__ import annotations


class RefusedError(Exception):
    """A request that is refused.

    Args:
        message: for the client; it begins with the field, as in "max_tokens: Field required".
        status: of HTTP.
        error_type: Anthropic's word for it; None is the usual one for the status.
    """

    def __init__(self, message: str, status: int = 400, error_type: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.error_type = error_type


def wrong_kind(place: str, kind: str) -> RefusedError:
    """Return the error for a value of a wrong type; `kind` is such as "string"."""
    return RefusedError(f"{place or 'body'}: Input should be a valid {kind}")


def missing(place: str) -> RefusedError:
    """Return the error for a field that is not there."""
    return RefusedError(f"{place}: Field required")


def extra(place: str) -> RefusedError:
    """Return the error for a field that nobody knows."""
    return RefusedError(f"{place}: Extra inputs are not permitted")


def not_among(place: str, *words: str) -> RefusedError:
    """Return the error for a word that is none of those that are known."""
    quoted = [f"'{word}'" for word in words]
    listed = " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
    return RefusedError(f"{place}: Input should be {listed}")


def check_range(place: str, value: float | None, least: float, most: float | None = None) -> None:
    """Refuse a number below `least` or above `most`; None is no number.

    Raises:
        RefusedError: for such a number.
    """
    if value is None:
        return
    if value < least:
        raise RefusedError(f"{place}: Input should be greater than or equal to {_number(least)}")
    if most is not None and value > most:
        raise RefusedError(f"{place}: Input should be less than or equal to {_number(most)}")


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
