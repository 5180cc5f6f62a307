"""Where the value of a leaf stands in a passage."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .text_search import count_text, find_text
from .units import may_be_same_currency, scales_in_name, units_in_name
from .vocabulary import concepts_of, word_set
from .words import stem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from decimal import Decimal

    from .dates import CalendarDate, DateMention
    from .leaves import Leaf
    from .numbers import NumberMention
    from .passage import Passage

_FEWEST_DIGITS = 3
_LARGE = 10_000
"""A round number is rare from here on."""
_RATIOS = word_set("rate ratio share margin growth yield fraction saturation")
_SHARES = _RATIOS | word_set("churn interest vat tax discount")

_OUT_OF = re.compile(r"\d(?: [^\W\d_]+)?\s+(?:out of|of|von|sur)\s+$")
_REACH = 30
_RATINGS = word_set("rating score star grade mark note bewertung stern sterne punkte point etoile")
_ENDS_OF_SCALES = word_set("max maximum highest top best scale of out total possible")
_TIMES = word_set("second minute hour day week month year")

_COUNTED = word_set("""
    amount betrag montant sum total price cost salary balance revenue count quantity qty
""")
"""What is told in money or pieces: ten percent of it are no ten of it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place of a value.

    Attributes:
        start: its first character.
        end: the place after its last.
        certainty: from 0 to 1, that the text there means this value.
        needs_label: the value alone is too common, or too unsure, to tell what it is of.
        has_unit: the unit there is the one in the field's name.
        is_text: words were found; else a number or a date.
    """

    start: int
    end: int
    certainty: float
    needs_label: bool
    has_unit: bool = False
    is_text: bool = False


def count_places(leaf: Leaf, passage: Passage) -> int:
    """Return about how many places `find_value` returns at most, for the price of look-ups.

    A text whose words are there in part, or in other groups, is not among them.
    """
    count = sum(len(passage.dates_in(date.year, date.month)) for date in leaf.dates)
    if leaf.number is not None:
        count += len(passage.numbers_of(leaf.number))
        count += len(passage.dates_in(int(leaf.number))) if _is_year(leaf.number) else 0
    return count + (count_text(leaf.sought, passage) if leaf.sought is not None else 0)


def find_value(leaf: Leaf, passage: Passage) -> list[Place]:
    """Return the places where `passage` has the value of `leaf`, each once."""
    places: dict[tuple[int, int], Place] = {}
    for place in _search(leaf, passage):
        marker = passage.marker_at(place.start, place.end)
        if marker is not None and not marker.is_value_of(leaf.name):
            continue
        before = passage.text[max(0, place.start - _REACH) : place.start]
        if _OUT_OF.search(before) and _is_rating(leaf.name):
            continue
        known = places.get((place.start, place.end))
        if known is None or known.certainty < place.certainty:
            places[place.start, place.end] = place
    return list(places.values())


def _is_rating(name: Iterable[str]) -> bool:
    """Tell whether a name is of a rating, and not of the best that can be had: "2 out of 5"."""
    words = {stem(word) for word in name}
    return bool(words & _RATINGS) and not words & _ENDS_OF_SCALES


def _search(leaf: Leaf, passage: Passage) -> Iterator[Place]:
    if leaf.dates:
        months = {(date.year, date.month) for date in leaf.dates}
        for mention in _in_order(passage.dates_in(*month) for month in months):
            if place := _dated(leaf.dates, mention):
                yield place
        return
    if leaf.number is not None:
        yield from _numbered(leaf, leaf.number, passage)
    if leaf.sought is not None:
        for found in find_text(leaf.sought, passage):
            yield Place(found.start, found.end, found.certainty, found.needs_label, is_text=True)


def _in_order(groups: Iterable[Iterable[DateMention]]) -> list[DateMention]:
    mentions = {mention.start: mention for group in groups for mention in group}
    return [mentions[start] for start in sorted(mentions)]


def _dated(wanted: tuple[CalendarDate, ...], mention: DateMention) -> Place | None:
    for reading in mention.readings:
        for date in wanted:
            if (date.year, date.month) != (reading.year, reading.month):
                continue
            if date.day == reading.day or date.day is None:
                is_sure = len(mention.readings) == len(wanted) == 1
                certainty = (1.0 if date.day == reading.day else 0.85) * (1.0 if is_sure else 0.6)
                return Place(mention.start, mention.end, certainty, needs_label=not is_sure)
    return None


def _numbered(leaf: Leaf, number: Decimal, passage: Passage) -> Iterator[Place]:
    mentions = passage.numbers_of(number)
    if not mentions and not _is_year(number):
        return
    names = list(leaf.name)
    is_of_year = "year" in names
    units = units_in_name(names) - ({"year"} if _is_year(number) else set())
    for mention in mentions:
        if is_of_year and _is_year(number) and not mention.is_plain:
            continue
        if not _fits(leaf, units, mention):
            continue
        certainty = _certainty(number, mention, names, units)
        if certainty:
            has_unit = mention.unit in units or (is_of_year and _is_year(number))
            needs_label = _needs_label(number, mention, names, units)
            yield Place(mention.start, mention.end, certainty, needs_label, has_unit)
    if _is_year(number) and (is_of_year or concepts_of(names) & {"start", "end", "sign"}):
        for date in passage.dates_in(int(number)):
            if {reading.year for reading in date.readings} == {int(number)}:
                yield Place(date.start, date.end, 0.9, needs_label=True, has_unit=True)


def _fits(leaf: Leaf, units: set[str], mention: NumberMention) -> bool:
    """Tell whether unit and currency allow that the mention is of the leaf."""
    if "min" in leaf.name and (mention.currency or mention.unit not in _TIMES):
        units = units - {"minute"}  # `temp_min` is no time.
    if mention.unit and (
        (units and mention.unit not in units) or (leaf.unit or mention.unit) != mention.unit
    ):
        return False
    if mention.currency and units:
        return False
    if mention.unit == "percent" and _is_amount(leaf, units):
        return False
    return may_be_same_currency(leaf.currency, mention.currency)


def _is_amount(leaf: Leaf, units: set[str]) -> bool:
    is_counted = bool(leaf.name) and leaf.name[-1] in _COUNTED
    return is_counted and "percent" not in units and not _RATIOS & set(leaf.name)


def _certainty(number: Decimal, mention: NumberMention, names: list[str], units: set[str]) -> float:
    readings = list(mention.readings)
    if mention.scale in scales_in_name(names):
        readings += mention.unscaled
    if mention.unit == "percent" and "percent" not in units:
        readings += [(value / 100, sure) for value, sure in mention.readings]
    return max((sure for value, sure in readings if value == number), default=0.0)


def _needs_label(
    number: Decimal, mention: NumberMention, names: list[str], units: set[str]
) -> bool:
    if mention.is_range or mention.is_word or _is_year(number):
        return True
    is_share = "percent" in units or bool(_SHARES & set(names))
    if (mention.unit == "percent") != is_share:
        return True
    digits = len(number.normalize().as_tuple().digits)
    return digits < _FEWEST_DIGITS and abs(number) < _LARGE


def _is_year(number: Decimal) -> bool:
    return number == number.to_integral_value() and 1900 <= number <= 2100
