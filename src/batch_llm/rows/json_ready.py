"""From the values of tables to those that JSON has: what prompts are filled with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING, Final
from uuid import UUID

from .row import Row

if TYPE_CHECKING:
    from collections.abc import Iterable

# pandas' words for a value that is missing, which neither equal themselves nor can be asked.
_MISSING_TYPES: Final = frozenset({"NAType", "NaTType"})
_NUMPY_TIMES: Final = frozenset({"datetime64", "timedelta64"})


class UnfitValueError(ValueError):
    """A value that JSON cannot hold. The message is what it is, and quotes nothing of it."""


def table_row(number: int, values: Mapping[str, object]) -> Row:
    """Return the row of a table, whatever its values are.

    None, NaN and their like are how a table says that a row has no such field: so they are left
    out, in objects inside of it too, and named in `Row.empty`. Values that JSON cannot hold are
    told of in `Row.unfit`.

    Args:
        number: its place in the table, from 1.
        values: by the names of the columns.
    """
    fields: dict[str, object] = {}
    unfit: dict[str, str] = {}
    empty: list[str] = []
    for name, value in values.items():
        try:
            ready = json_ready(value)
        except UnfitValueError as error:
            unfit[str(name)] = str(error)
        else:
            if ready is None:
                empty.append(str(name))
            else:
                fields[str(name)] = ready
    return Row(number, fields, "row", unfit, tuple(empty))


def json_ready(value: object) -> object:
    """Return `value` as JSON has it, or None where it stands for one that is missing.

    Decimals, dates, times and UUIDs become text (ISO 8601), so that no digit is lost; bytes do
    where they are UTF-8. Arrays become lists; of objects, the fields that are missing are left out.

    Raises:
        UnfitValueError: for other bytes, infinite numbers, and objects of other kinds.
    """
    kind = type(value)
    if value is None or kind is str or kind is int or kind is bool:
        return value
    if kind.__name__ in _MISSING_TYPES:
        return None
    if isinstance(value, (str, int, float, Decimal, Enum, UUID)):
        return _scalar(value)
    if isinstance(value, (date, time, timedelta)):
        return _moment(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return _decoded(bytes(value))
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, (list, tuple, Set)):
        return _items(value)
    return _foreign(value)


def _scalar(value: str | float | Decimal | Enum | UUID) -> object:
    if isinstance(value, Enum):
        return json_ready(value.value)
    if isinstance(value, (str, UUID)):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise UnfitValueError("an infinite number")
    return str(value) if isinstance(value, Decimal) else float(value)


def _moment(value: date | time | timedelta) -> str:
    if not isinstance(value, timedelta):
        return value.isoformat()
    if getattr(value, "nanoseconds", 0):
        raise UnfitValueError("a time span finer than microseconds")
    return _iso_span(value)


def _iso_span(span: timedelta) -> str:
    sign = "-" if span < timedelta(0) else ""
    days, within = divmod(abs(span), timedelta(days=1))
    seconds = Decimal(within // timedelta(microseconds=1)) / 1_000_000
    return f"{sign}P{days}DT{seconds.normalize():f}S"


def _decoded(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise UnfitValueError("bytes that are no UTF-8 text") from None


def _object(value: Mapping[object, object]) -> dict[str, object]:
    found = ((str(name), json_ready(item)) for name, item in value.items())
    return {name: item for name, item in found if item is not None}


def _items(values: Iterable[object]) -> list[object]:
    return [json_ready(value) for value in values]


def _foreign(value: object) -> object:
    kind = type(value)
    if kind.__name__ in _NUMPY_TIMES:
        # As an int, which it would else become, it has no unit.
        text = str(value)
        return None if text == "NaT" else text
    for listing in ("tolist", "to_list"):  # arrays and scalars of numpy, series of pandas, polars
        method = getattr(value, listing, None)
        if callable(method):
            return json_ready(method())
    raise UnfitValueError(f"an object of type {kind.__name__}")
