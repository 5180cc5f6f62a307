"""Requests that OpenAI refuses, and its words for what is wrong with a parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_KINDS: Final[dict[type, str]] = {
    type(None): "null",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    str: "a string",
    list: "an array",
    dict: "an object",
}


class RefusedError(Exception):
    """A request that is refused.

    Args:
        message: for the client.
        param: what is wrong; None where it is no single parameter.
        code: OpenAI's own word for it.
        status: of HTTP.
    """

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        status: int = 400,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code
        self.status = status


def missing(name: str) -> RefusedError:
    """Return the error for a parameter that is not there."""
    message = f"Missing required parameter: '{name}'."
    return RefusedError(message, param=name, code="missing_required_parameter")


def unknown_parameter(name: str) -> RefusedError:
    """Return the error for a parameter that nobody knows."""
    return RefusedError(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")


def unrecognized(names: Sequence[str]) -> RefusedError:
    """Return the error for parameters that nobody knows, as the older models' side says it."""
    arguments = "argument" if len(names) == 1 else "arguments"
    return RefusedError(f"Unrecognized request {arguments} supplied: {', '.join(names)}")


def wrong_type(name: str, expected: str, value: object) -> RefusedError:
    """Return the error for a value of a wrong type; `expected` is such as "a string"."""
    got = _KINDS.get(type(value), "an object")
    message = f"Invalid type for '{name}': expected {expected}, but got {got} instead."
    return RefusedError(message, param=name, code="invalid_type")


def not_among(name: str, value: str, supported: Sequence[str]) -> RefusedError:
    """Return the error for a word that is none of those that are known."""
    words = [f"'{word}'" for word in supported]
    listed = words[0] if len(words) == 1 else ", ".join(words[:-1]) + f", and {words[-1]}"
    message = f"Invalid value: '{value}'. Supported values are: {listed}."
    return RefusedError(message, param=name, code="invalid_value")


def too_long(name: str, most: int, got: int) -> RefusedError:
    """Return the error for a string of too many characters."""
    message = (
        f"Invalid '{name}': string too long. Expected a string with maximum length {most}, "
        f"but got a string with length {got} instead."
    )
    return RefusedError(message, param=name, code="string_above_max_length")


def out_of_range(name: str, value: int, least: int, most: int) -> RefusedError:
    """Return the error for a number below `least` or above `most`."""
    if value < least:
        side, sign, bound, code = "below minimum", ">=", least, "integer_below_min_value"
    else:
        side, sign, bound, code = "above maximum", "<=", most, "integer_above_max_value"
    message = (
        f"Invalid '{name}': integer {side} value. Expected a value {sign} {bound}, "
        f"but got {value} instead."
    )
    return RefusedError(message, param=name, code=code)
