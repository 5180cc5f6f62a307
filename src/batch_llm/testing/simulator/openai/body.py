"""From the bytes of a request to its fields, and what is wrong with them in OpenAI's words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from ..decoding import UNREADABLE, misfit_of
from .refusal import RefusedError, missing, too_long, unknown_parameter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..decoding import Misfit

TBody = TypeVar("TBody")

_NOT_JSON: Final = (
    "We could not parse the JSON body of your request. (HINT: This likely means you aren't using "
    "your HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was "
    "not valid JSON. If you have trouble figuring out how to fix this, please contact us through "
    "our help center at help.openai.com.)"
)
_NAMES: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a decimal",
    "bool": "a boolean",
    "array": "an array",
    "object": "an object",
    "null": "null",
}
_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_METADATA_KEYS: Final = 16
_METADATA_KEY_LENGTH: Final = 64
_METADATA_VALUE_LENGTH: Final = 512


def decoded(decoder: msgspec.json.Decoder[TBody], body: bytes, within: str = "") -> TBody:
    """Return the fields of a body.

    Args:
        decoder: knows the fields.
        body: JSON.
        within: the path of `body` in the whole request, such as "input[0]"; "" for all of it.

    Raises:
        RefusedError: for a body that is no JSON, or whose fields are of wrong types.
    """
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _refused(misfit_of(error), within) from None
    except UNREADABLE:
        raise RefusedError(_NOT_JSON) from None


def _refused(misfit: Misfit, within: str) -> RefusedError:
    """Return the error for a value that does not fit."""
    if misfit.missing is not None:
        return missing(_path(within, misfit.path, misfit.missing))
    if misfit.unknown is not None:
        return unknown_parameter(_path(within, misfit.path, misfit.unknown))
    name = _path(within, misfit.path)
    if misfit.expected:
        if not name:
            return RefusedError(_NOT_JSON)
        text = f"Invalid type for '{name}': expected {_kinds(misfit.expected)}, but got "
        text += f"{_kinds([misfit.got])} instead."
        return RefusedError(text, param=name, code="invalid_type")
    if misfit.path is None:
        return RefusedError(misfit.message)
    return RefusedError(f"Invalid '{name}': {misfit.message}.", param=name, code="invalid_value")


def _path(within: str, path: str | None, field: str = "") -> str:
    # msgspec writes "[...]" for the value of any key.
    whole = f"{within}{path or ''}".replace("[...]", "").lstrip(".")
    return f"{whole}.{field}".strip(".") if field else whole


def _kinds(types: Sequence[str]) -> str:
    names = [_NAMES.get(name, name) for name in types]
    wanted = [name for name in names if name != "null"] or names
    return wanted[0] if len(wanted) == 1 else "one of " + " or ".join(wanted)


# --- bounds --------------------------------------------------------------------------------


def check_decimal(name: str, value: float | None, least: float, most: float) -> None:
    """Refuse a decimal below `least` or above `most`."""
    if value is None or least <= value <= most:
        return
    if value < least:
        side, sign, bound, code = "below minimum", ">=", least, "decimal_below_min_value"
    else:
        side, sign, bound, code = "above maximum", "<=", most, "decimal_above_max_value"
    message = (
        f"Invalid '{name}': decimal {side} value. Expected a value {sign} {bound:g}, "
        f"but got {value:g} instead."
    )
    raise RefusedError(message, param=name, code=code)


def check_length(name: str, values: Sequence[object], least: int, most: int) -> None:
    """Refuse an array of fewer than `least` or more than `most` values."""
    count = len(values)
    if least <= count <= most:
        return
    if count == 0:
        message = (
            f"Invalid '{name}': empty array. Expected an array with minimum length {least}, "
            "but got an empty array instead."
        )
        raise RefusedError(message, param=name, code="empty_array")
    message = (
        f"Invalid '{name}': array too long. Expected an array with maximum length {most}, "
        f"but got an array with length {count} instead."
    )
    raise RefusedError(message, param=name, code="array_above_max_length")


def check_name(param: str, name: str) -> None:
    """Refuse the name of a tool or a schema that is too long, or holds what no name may hold."""
    if _NAME.fullmatch(name) is None:
        message = (
            f"Invalid '{param}': string does not match pattern. Expected a string that matches the "
            "pattern '^[a-zA-Z0-9_-]+$', at most 64 characters long."
        )
        raise RefusedError(message, param=param, code="invalid_value")


def check_metadata(metadata: Mapping[str, str] | None) -> None:
    """Refuse metadata of too many keys, or too long ones, or too long values."""
    if not metadata:
        return
    if len(metadata) > _METADATA_KEYS:
        message = (
            f"Invalid 'metadata': too many properties. Expected an object with at most "
            f"{_METADATA_KEYS} properties, but got an object with {len(metadata)} properties "
            "instead."
        )
        raise RefusedError(message, param="metadata", code="object_above_max_properties")
    for key, value in metadata.items():
        if len(key) > _METADATA_KEY_LENGTH:
            raise _too_long_key(key)
        if len(value) > _METADATA_VALUE_LENGTH:
            raise too_long(f"metadata.{key}", _METADATA_VALUE_LENGTH, len(value))


def _too_long_key(key: str) -> RefusedError:
    message = (
        f"Invalid property name in 'metadata': string too long. Expected a property name with "
        f"maximum length {_METADATA_KEY_LENGTH}, but got one with length {len(key)} instead."
    )
    return RefusedError(message, param="metadata", code="string_above_max_length")
