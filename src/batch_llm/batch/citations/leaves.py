"""The leaves of an answer: its values that have no parts."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from .dates import CalendarDate, whole_date
from .numbers import whole_number
from .text_search import SoughtText
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
        sought: the text as it is looked for; None where only the number or the dates are.
    """

    path: Path
    name: tuple[str, ...]
    parents: tuple[str, ...]
    text: str | None = None
    number: Decimal | None = None
    currency: str | None = None
    unit: str | None = None
    dates: tuple[CalendarDate, ...] = ()
    sought: SoughtText | None = field(default=None, compare=False)

    @property
    def kind(self) -> Hashable:
        """All but its path: leaves of one kind are found at the same places."""
        value = (self.text, self.number, self.currency, self.unit, self.dates)
        return self.name, self.parents, value

    @property
    def is_text(self) -> bool:
        """Whether it is neither a number nor a date."""
        return self.number is None and not self.dates

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
    name = names[-1] if names else ()
    parents = tuple(word for words in names[:-1] for word in words)
    if isinstance(value, str):
        return _of_text(value, Leaf(path, name, parents, text=value.strip()))
    if isinstance(value, datetime.date):
        return Leaf(path, name, parents, dates=(_day(value),))
    if isinstance(value, datetime.time):
        time = f"{value:%H:%M}"
        return Leaf(path, name, parents, text=time, sought=SoughtText.read(time))
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
        return replace(leaf, dates=dates)
    number, stripped = whole_number(value), value.strip()
    if number is None:
        return replace(leaf, sought=SoughtText.read(stripped))
    return replace(
        leaf,
        number=number.readings[0][0],
        currency=number.currency,
        unit=number.unit,
        # A number of digits alone is a code as likely; both are looked for. One with a sign or a
        # unit is more than its digits, which a search in words would find.
        sought=SoughtText.read(stripped) if stripped.isdigit() else None,
    )
