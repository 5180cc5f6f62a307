"""Units, scales and currencies beside numbers, and in names of fields."""

from __future__ import annotations

from .vocabulary import word_set

_ALIASES = {
    "kg": "kg kgs kilogram kilograms kilo kilos",
    "g": "g gram grams",
    "mg": "mg milligram milligrams",
    "mcg": "mcg \u03bcg ug microgram micrograms",
    "lb": "lb lbs pounds",
    "oz": "oz ounce ounces",
    "t": "tonne tonnes tons",
    "km": "km kilometre kilometres kilometer kilometers",
    "m": "m metre metres meter meters",
    "cm": "cm centimetre centimetres centimeters",
    "mm": "mm millimetre millimetres millimeters",
    "m2": "m2 sqm qm",
    "inch": "inch inches",
    "ft": "ft foot feet",
    "mile": "mi mile miles",
    "l": "l litre litres liter liters",
    "ml": "ml",
    "gb": "gb gigabyte gigabytes",
    "tb": "tb",
    "mb": "mb",
    "second": "seconds second sec secs",
    "minute": "minutes minute min mins minuten",
    "hour": "hours hour hr hrs h stunden heures",
    "day": "days day tage tagen jours",
    "week": "weeks week wochen semaines",
    "month": "months month monate monaten mois",
    "year": "years year yr yrs jahre jahren ans",
    "celsius": "c celsius",
    "fahrenheit": "f fahrenheit",
    "mmol": "mmol",
    "bpm": "bpm",
    "mmhg": "mmhg",
    "watt": "w watt watts kw",
    "volt": "v volt volts",
    "percent": "percent percentage pct prozent",
}
_UNITS = {alias: unit for unit, aliases in _ALIASES.items() for alias in aliases.split()}
_ONLY_LAST = frozenset({"c", "f", "m", "l", "g", "h", "w", "v", "min"})

SCALES = {
    "thousand": 1_000, "tausend": 1_000, "mille": 1_000, "tsd": 1_000, "k": 1_000,
    "million": 10**6, "millions": 10**6, "mio": 10**6, "millionen": 10**6, "mn": 10**6,
    "billion": 10**9, "billions": 10**9, "bn": 10**9, "mrd": 10**9, "milliarden": 10**9,
    "milliard": 10**9, "milliards": 10**9, "trillion": 10**12,
}  # fmt: skip
"""Words after a number that multiply it. A German "Billion" is left to the English."""
SHORT_SCALES = {"m": 10**6, "b": 10**9, **SCALES}
"""With a currency before the number, or no space between, as in "$3m"."""
SYMBOLS = {"$": "$", "\u20ac": "EUR", "\u00a3": "GBP", "\u00a5": "JPY", "\u20b9": "INR"}
CODES = word_set("""
    usd eur gbp chf jpy cad aud inr sek nok dkk pln czk huf nzd sgd hkd cny brl mxn zar
    euro euros dollar dollars
""")
_DOLLARS = frozenset({"$", "USD", "CAD", "AUD", "NZD", "SGD", "HKD"})


def unit_of(word: str) -> str | None:
    """Return the unit that a folded word after a number is, if it is one."""
    return _UNITS.get(word)


def units_in_name(words: list[str]) -> set[str]:
    """Return the units in the words of a field's name, as "kg" in `weight_kg`."""
    return {_UNITS[word] for word in unit_words(words)}


def unit_words(words: list[str]) -> set[str]:
    """Return those of the words of a field's name that are units."""
    return {
        word
        for place, word in enumerate(words)
        if word in _UNITS and (word not in _ONLY_LAST or place >= max(1, len(words) - 2))
    }


def scales_in_name(words: list[str]) -> set[int]:
    """Return the scales in the words of a field's name, as a million in `assets_millions`."""
    singular = {word.removesuffix("s") for word in words}
    return {scale for word, scale in SCALES.items() if word in singular or word in words}


def currency_of(word: str) -> str | None:
    """Return the currency that a symbol or a folded word is, as its code; "$" is any dollar."""
    if word in SYMBOLS:
        return SYMBOLS[word]
    if word not in CODES:
        return None
    return {"euro": "EUR", "euros": "EUR", "dollar": "$", "dollars": "$"}.get(word, word.upper())


def may_be_same_currency(left: str | None, right: str | None) -> bool:
    """Tell whether two currencies do not exclude each other; None is unknown."""
    if left is None or right is None or left == right:
        return True
    return "$" in (left, right) and {left, right} <= _DOLLARS
