"""Requests that Anthropic does not take, and its words for what is wrong with a field."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

if TYPE_CHECKING:
    from ..exchange import Response
    from .dialect import AnthropicDialect

T = TypeVar("T")

_KINDS: Final = {
    "array": "list",
    "bool": "boolean",
    "float": "number",
    "int": "integer",
    "object": "dictionary",
    "str": "string",
}
_MISSING: Final = re.compile(r"Object missing required field `([^`]*)`")
_WRONG_KIND: Final = re.compile(r"Expected `([^`]*)`, got `[^`]*`")
_PLACE: Final = re.compile(r" - at `\$([^`]*)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[([^\[\]]*)\]")


class InvalidRequestError(Exception):
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

    def response(self, dialect: AnthropicDialect) -> Response:
        """Return what goes back."""
        return dialect.error(self.status, self.message, error_type=self.error_type)


def decode(decoder: msgspec.json.Decoder[T], data: bytes, place: str = "") -> T:
    """Return what JSON from a client holds.

    Args:
        decoder: of the expected form.
        data: the JSON.
        place: where it is in the request, such as "messages.0.content"; "" for the whole.

    Raises:
        InvalidRequestError: if it is not JSON, or not of that form.
    """
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), place) from None
    except RecursionError:
        raise InvalidRequestError("The request body is nested too deeply.") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise InvalidRequestError(f"The request body is not valid JSON: {error}") from None


def _invalid(said: str, place: str) -> InvalidRequestError:
    """Return a decoder's complaint in Anthropic's words."""
    where = _joined(place, _place_in(said))
    if (missing := _MISSING.match(said)) is not None:
        return InvalidRequestError(f"{_joined(where, missing[1])}: Field required")
    if (wrong := _WRONG_KIND.match(said)) is not None:
        kinds = [_KINDS.get(kind, kind) for kind in wrong[1].split(" | ") if kind != "null"]
        return wrong_kind(where, " or ".join(kinds))
    return InvalidRequestError(f"{where or 'body'}: {_PLACE.sub('', said)}")


def _place_in(said: str) -> str:
    found = _PLACE.search(said)
    return "" if found is None else ".".join(a or b for a, b in _STEP.findall(found[1]))


def _joined(*places: str) -> str:
    return ".".join(filter(None, places))


def wrong_kind(place: str, kind: str) -> InvalidRequestError:
    """Return the error for a value of a wrong type; `kind` is such as "string"."""
    return InvalidRequestError(f"{place or 'body'}: Input should be a valid {kind}")


def missing(place: str) -> InvalidRequestError:
    """Return the error for a field that is not there."""
    return InvalidRequestError(f"{place}: Field required")


def not_among(place: str, *words: str) -> InvalidRequestError:
    """Return the error for a word that is none of those that are known."""
    quoted = [f"'{word}'" for word in words]
    listed = " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
    return InvalidRequestError(f"{place}: Input should be {listed}")


def check_range(place: str, value: float | None, least: float, most: float | None = None) -> None:
    """Refuse a number below `least` or above `most`; None is no number.

    Raises:
        InvalidRequestError: for such a number.
    """
    if value is None:
        return
    if value < least:
        raise InvalidRequestError(
            f"{place}: Input should be greater than or equal to {_number(least)}"
        )
    if most is not None and value > most:
        raise InvalidRequestError(f"{place}: Input should be less than or equal to {_number(most)}")


def _number(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def is_given(raw: msgspec.Raw) -> bool:
    """Return whether a field that is read later is there, and not null."""
    data = bytes(raw)
    return bool(data) and data != b"null"
