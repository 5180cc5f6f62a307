"""Numbers as people write them: grouped, scaled, with signs, units and currencies."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from .spans import Spans
from .units import SCALES, SHORT_SCALES, SYMBOLS, currency_of, unit_of
from .words import fold

if TYPE_CHECKING:
    from collections.abc import Iterable

_SPACES = "\u00a0\u202f\u2009 "
_CORE = re.compile(
    rf"\d{{1,3}}(?:[{_SPACES}'\u2019]\d{{3}})+(?!\d)(?:[.,]\d+)?(?!\d)|\d+(?:[.,]\d+)*"
)
_GROUPS = re.compile(rf"[{_SPACES}'\u2019]")
_MINUS = frozenset("-\u2212\u2013")
_BEFORE = re.compile(r"(?:([^\W\d_]+)\.?|([$\u20ac\u00a3\u00a5\u20b9]))?[ \u00a0]?$")
_AFTER = re.compile(
    r"(?P<percent>[ \u00a0\u202f]?%)|(?P<inch>[\"\u2033])"
    r"|(?P<symbol>[ \u00a0\u202f]?[$\u20ac\u00a3])"
    r"|(?P<gap>[ \u00a0\u202f-]|[ ]?\u00b0[ ]?)?(?P<word>[^\W\d_]+)(?P<square>[\u00b2])?"
)
_LETTERS_BEFORE = re.compile(r"[^\W\d_]+$")
_CURRENCY_AFTER = re.compile(r"[ \u00a0]?(?:d['\u2019])?([^\W\d_]+|[$\u20ac\u00a3])")
_CLOSING = re.compile(r" ?[^\w\s(]?\)")
_LONGEST_CURRENCY = 12
_MINUS_AFTER = re.compile(r"[-\u2212](?=[ \u00a0]*(?:$|[\n\t|;]))")
"""As ledgers have it: 50- at the end of a cell or a line."""
_SQUARES = frozenset({"square", "sq"})
NUMBER_WORDS = {
    word: Decimal(value)
    for words, value in (
        ("one un eins ein", 1), ("two deux zwei", 2), ("three trois drei", 3),
        ("four quatre vier", 4), ("five cinq funf", 5), ("six sechs", 6), ("seven sept sieben", 7),
        ("eight huit acht", 8), ("nine neuf neun", 9), ("ten dix zehn", 10), ("eleven", 11),
        ("twelve douze zwolf", 12), ("thirteen", 13), ("fourteen", 14), ("fifteen", 15),
        ("sixteen", 16), ("seventeen", 17), ("eighteen", 18), ("nineteen", 19), ("twenty", 20),
        ("thirty", 30), ("forty", 40), ("fifty", 50), ("sixty", 60), ("seventy", 70),
        ("eighty", 80), ("ninety", 90),
    )
    for word in words.split()
}  # fmt: skip
_NUMBER_WORD = re.compile(r"(?<![\w])[^\W\d_]+(?!\w)")


@dataclass(frozen=True, slots=True)
class NumberMention:
    """A number in a text.

    Attributes:
        readings: what it may be and how surely, from 0 to 1, the surest first. A number with a
            scale is multiplied.
        unscaled: what it is without its scale, where it has one.
        scale: what multiplied it; 1 where nothing did.
        unit: "kg", "day", "percent" …; None where the text gives none.
        currency: a code, or "$".
        is_range: a dash joins it to another number.
        is_word: it is written in letters.
        is_plain: digits and nothing between them, as a year is.
        told: the decimal mark, where the number itself tells which one the text uses.
        unsure: the mark in it of which nothing tells whether it is the decimal mark. The first of
            its two readings is that of a text where a point is, the second where a comma is.
    """

    start: int
    end: int
    readings: tuple[tuple[Decimal, float], ...]
    unscaled: tuple[tuple[Decimal, float], ...] = ()
    scale: int = 1
    unit: str | None = None
    currency: str | None = None
    is_range: bool = False
    is_word: bool = False
    is_plain: bool = False
    told: str | None = None
    unsure: str | None = None


@dataclass(frozen=True, slots=True)
class _Digits:
    """The readings of digits and marks, with `told` and `unsure` as a mention has them."""

    readings: tuple[tuple[Decimal, float], ...]
    told: str | None = None
    unsure: str | None = None


def decimal_mark(mentions: Iterable[NumberMention]) -> str | None:
    """Return the decimal mark, where all numbers that tell agree."""
    marks = {one.told for one in mentions} - {None}
    return marks.pop() if len(marks) == 1 else None


def read_with_mark(mention: NumberMention, mark: str | None) -> NumberMention:
    """Return `mention` with the one reading that a decimal mark leaves."""
    if mention.unsure is None or mark is None:
        return mention
    kept = 0 if mark == "." else 1
    (value, _), *unscaled = (mention.readings[kept], *mention.unscaled[kept : kept + 1])
    return replace(
        mention,
        readings=((value, 1.0),),
        unscaled=tuple((number, 1.0) for number, _ in unscaled),
        told=mark,
        unsure=None,
    )


def find_numbers(text: str, taken: list[tuple[int, int]]) -> list[NumberMention]:
    """Return the whole numbers and decimals in `text`, in order, outside of the spans `taken`.

    Digits inside of a longer token are none: of a version, a time, a fraction, a code, an ordinal.
    """
    found: list[NumberMention] = []
    spans = Spans(taken)
    for match in _CORE.finditer(text):
        if spans.is_any_between(match.start(), match.end()):
            continue
        found.extend(_mentions(text, match.start(), match.end()))
    for match in _NUMBER_WORD.finditer(text):
        value = NUMBER_WORDS.get(fold(match[0]))
        if value is not None:
            words = NumberMention(match.start(), match.end(), ((value, 1.0),), is_word=True)
            found.append(_with_suffix(text, words) or words)
    return _with_shared_units(text, sorted(found, key=lambda one: (one.start, one.end)))


def whole_number(text: str) -> NumberMention | None:
    """Return the number that `text` is, with currency and unit, if it is one and nothing else."""
    stripped = text.strip()
    found = [one for one in find_numbers(stripped, []) if not one.is_word]
    if not found:
        return None
    rest = f"{stripped[: found[0].start]} {stripped[found[0].end :]}"
    left = [part for part in re.split(r"[\s()+\u2212-]+", rest) if part]
    known = all(
        currency_of(fold(part)) or unit_of(fold(part)) or part == "%" or fold(part) in SHORT_SCALES
        for part in left
    )
    return found[0] if known and len(left) <= 2 else None


def _mentions(text: str, start: int, end: int) -> list[NumberMention]:
    core = text[start:end]
    joined = _mention(text, start, end)
    if " " not in core:
        return [joined] if joined else []
    # Columns of a table look like groups of a long number.
    parts = [
        part
        for match in re.finditer(r"[^ ]+", core)
        if (part := _mention(text, start + match.start(), start + match.end()))
    ]
    if joined and (joined.currency or joined.unit or "," in core or "." in core):
        return [joined]
    return [_less_sure(one) for one in (joined, *parts) if one]


def _less_sure(mention: NumberMention) -> NumberMention:
    return replace(mention, readings=tuple((value, sure * 0.9) for value, sure in mention.readings))


def _mention(text: str, start: int, end: int) -> NumberMention | None:
    core = text[start:end]
    digits = _read(core)
    if digits is None or _is_part_of_token(text, start, end):
        return None
    sign, currency = _before(text, start, end)
    plain = NumberMention(
        start,
        end,
        tuple((value * sign, sure) for value, sure in digits.readings),
        currency=currency,
        is_range=_is_range(text, start, end),
        is_plain=core.isdigit() and len(core) == 4,
        told=digits.told,
        unsure=digits.unsure,
    )
    return _with_suffix(text, plain)


def _read(core: str) -> _Digits | None:
    digits = _GROUPS.sub("", core)
    is_grouped = digits != core
    marks = [mark for mark in digits if mark in ".,"]
    if not marks:
        is_code = len(digits) > 1 and digits[0] == "0"
        return None if is_code else _Digits(((Decimal(digits), 1.0),))
    last = marks[-1]
    other = "," if last == "." else "."
    whole, fraction = digits.rsplit(last, 1)
    decimal = Decimal(re.sub("[.,]", "", whole) + "." + fraction)
    if len(set(marks)) == 2:
        regular = marks.count(last) == 1 and _is_grouped(whole, other)
        return _Digits(((decimal, 1.0),), told=last) if regular else None
    if len(marks) > 1:
        grouped = Decimal(digits.replace(last, ""))
        return _Digits(((grouped, 1.0),), told=other) if _is_grouped(digits, last) else None
    if is_grouped or not _is_grouped(digits, last) or whole == "0":
        return _Digits(((decimal, 1.0),), told=last)
    grouped = Decimal(digits.replace(last, ""))
    if last == ",":
        return _Digits(((grouped, 1.0), (decimal, 0.6)), unsure=last)
    return _Digits(((decimal, 0.9), (grouped, 0.6)), unsure=last)


def _is_grouped(digits: str, mark: str) -> bool:
    """Tell whether digits are in groups of three, or as in India: 1,23,45,678."""
    first, *rest = digits.split(mark)
    is_usual = 1 <= len(first) <= 3 and all(len(group) == 3 for group in rest)
    return is_usual or (mark == "," and _is_indian(first, rest))


def _is_indian(first: str, rest: list[str]) -> bool:
    *pairs, last = rest or [""]
    return len(first) <= 2 and len(last) == 3 and all(len(pair) == 2 for pair in pairs)


def _is_part_of_token(text: str, start: int, end: int) -> bool:
    """Tell whether a letter, or a mark and a digit, go on directly: X-200, 17:30, 145/90, 3.1.2."""
    before, beyond = text[max(0, start - 1) : start], text[max(0, start - 2) : max(0, start - 1)]
    after, next_one = text[end : end + 1], text[end + 1 : end + 2]
    if before in {"/", ":", ".", ",", "_"} and before and beyond.isdigit():
        return True
    if before == "_" or (before in _MINUS and before and beyond.isalpha()):
        return True
    if before.isalpha():
        letters = _LETTERS_BEFORE.search(text, max(0, start - _LONGEST_CURRENCY), start)
        return letters is None or currency_of(fold(letters[0])) is None
    if after in {"/", ":"} and after and next_one.isdigit():
        return True
    return after == "_" or (after == "-" and text[end + 1 : end + 5].count("-") > 0)


def _is_range(text: str, start: int, end: int) -> bool:
    before = start > 1 and text[start - 1] in _MINUS and text[start - 2].isdigit()
    after = end + 1 < len(text) and text[end] in _MINUS and text[end + 1].isdigit()
    return before or after


def _before(text: str, start: int, end: int) -> tuple[int, str | None]:
    """Return the sign and the currency that stand before a number."""
    sign, at = 1, start
    if at and text[at - 1] in _MINUS and not (at > 1 and text[at - 2].isalnum()):
        sign, at = -1, at - 1
    match = _BEFORE.search(text[max(0, at - 12) : at])
    currency = None
    if match and (match[1] or match[2]):
        currency = currency_of(fold(match[1]) if match[1] else match[2])
        if currency:
            at -= len(match[0])
            if at and text[at - 1] in _MINUS and not (at > 1 and text[at - 2].isalnum()):
                sign, at = -1, at - 1
    is_decimal = not text[start:end].isdigit()
    if sign == 1 and _MINUS_AFTER.match(text, end):
        sign = -1
    if at and text[at - 1] == "(" and is_decimal and _CLOSING.match(text, end):
        sign = -1
    return sign, currency


def _with_suffix(text: str, mention: NumberMention) -> NumberMention | None:
    """Return the mention with what follows it, or None where it is the head of a longer token."""
    match = _AFTER.match(text, mention.end)
    if match is None:
        return mention
    if match["percent"]:
        return replace(mention, unit="percent")
    if match["inch"]:
        return replace(mention, unit="inch")
    if match["symbol"]:
        return replace(mention, currency=mention.currency or SYMBOLS[match["symbol"].strip()])
    return _with_word(text, mention, match)


def _with_word(text: str, mention: NumberMention, match: re.Match[str]) -> NumberMention | None:
    word, end = fold(match["word"]), match.end()
    is_attached = not match["gap"]
    scales = SHORT_SCALES if mention.currency and is_attached else SCALES
    if word in scales:
        return _scaled(text, mention, end, scales[word])
    unit = _unit(word, text, end, is_squared=match["square"] is not None)
    currency = currency_of(word)
    is_code = not (unit or currency) or text[end : end + 1].isdigit()
    if is_attached and is_code and not mention.is_word:
        return None
    return replace(mention, unit=unit, currency=mention.currency or currency)


def _unit(word: str, text: str, end: int, *, is_squared: bool) -> str | None:
    if (word, fold(text[end : end + 5])) in {("per", " cent"), ("pour", " cent")}:
        return "percent"
    unit = unit_of(word)
    return "m2" if word in _SQUARES or (is_squared and unit == "m") else unit


def _scaled(text: str, mention: NumberMention, end: int, scale: int) -> NumberMention:
    after = _CURRENCY_AFTER.match(text, end)
    currency = mention.currency or (currency_of(fold(after[1])) if after else None)
    return replace(
        mention,
        readings=tuple((value * scale, sure) for value, sure in mention.readings),
        unscaled=mention.readings,
        scale=scale,
        currency=currency,
    )


def _with_shared_units(text: str, mentions: list[NumberMention]) -> list[NumberMention]:
    """Give the numbers of "30 x 20 x 10 cm" the unit of the last."""
    shared = list(mentions)
    for at in range(len(shared) - 2, -1, -1):
        here, after = shared[at], shared[at + 1]
        between = text[here.end : after.start]
        if here.unit is None and re.fullmatch(r" ?[x\u00d7*] ?| ?[\u2013-] ?", between):
            shared[at] = replace(here, unit=after.unit)
    return shared
