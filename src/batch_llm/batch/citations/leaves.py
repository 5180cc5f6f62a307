"""The leaves of an answer: its values that have no parts."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from .dates import CalendarDate, whole_date
from .numbers import whole_number
from .words import name_words

if TYPE_CHECKING:
    from pydantic import BaseModel

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One value of an answer.

    Attributes:
        path: the names and places that lead to it.
        name: the words of its own name; that of its list for a value in a list.
        parents: the words of the names above.
        text: the value as text; None where it is none.
        number: the value as number, with `currency` and `unit` where its text has them.
        dates: the dates that it may be.
    """

    path: Path
    name: tuple[str, ...]
    parents: tuple[str, ...]
    text: str | None = None
    number: Decimal | None = None
    currency: str | None = None
    unit: str | None = None
    dates: tuple[CalendarDate, ...] = ()

    @property
    def row(self) -> Path | None:
        """The path of the list item that it is a part of; None outside of lists of objects."""
        for at in range(len(self.path) - 2, -1, -1):
            if isinstance(self.path[at], int):
                return self.path[: at + 1]
        return None


def leaves_of(answer: BaseModel | Mapping[str, object] | Sequence[object]) -> list[Leaf]:
    """Return what can be looked for in a text: no booleans, None or empty texts."""
    return list(_walk(answer, ()))


def _walk(value: object, path: Path) -> Iterator[Leaf]:
    from pydantic import BaseModel

    if isinstance(value, BaseModel):
        fields = {**{name: getattr(value, name) for name in type(value).model_fields}}
        yield from _walk({**fields, **(value.model_extra or {})}, path)
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _walk(part, (*path, str(name)))
    elif isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        parts = value if isinstance(value, Sequence) else sorted(value, key=str)
        for at, part in enumerate(parts):
            yield from _walk(part, (*path, at))
    elif (leaf := _leaf(value, path)) is not None:
        yield leaf


def _leaf(value: object, path: Path) -> Leaf | None:
    if isinstance(value, enum.Enum):
        value = value.value
    names = [name_words(part) for part in path if isinstance(part, str)]
    name = tuple(names[-1]) if names else ()
    parents = tuple(word for words in names[:-1] for word in words)
    if isinstance(value, str):
        return _of_text(value, Leaf(path, name, parents, text=value.strip()))
    if isinstance(value, datetime.date):
        return Leaf(path, name, parents, dates=(_day(value),))
    if isinstance(value, datetime.time):
        return Leaf(path, name, parents, text=f"{value:%H:%M}")
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(str(value))
    return Leaf(path, name, parents, number=number) if number.is_finite() else None


def _day(value: datetime.date) -> CalendarDate:
    return CalendarDate(value.year, value.month, value.day)


def _of_text(value: str, leaf: Leaf) -> Leaf | None:
    if not any(mark.isalnum() for mark in value):
        return None
    if dates := whole_date(value):
        return Leaf(leaf.path, leaf.name, leaf.parents, leaf.text, dates=dates)
    number = whole_number(value)
    # A number of digits alone is a code as likely; both are looked for.
    if number is None:
        return leaf
    return Leaf(
        leaf.path,
        leaf.name,
        leaf.parents,
        leaf.text,
        number=number.readings[0][0],
        currency=number.currency,
        unit=number.unit,
    )
