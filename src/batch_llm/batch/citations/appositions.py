"""What a text calls a name after it: "X, the buyer", 'X ("Buyer")', "X, hereinafter Buyer"."""

from __future__ import annotations

import re

from .sentences import SENTENCE_END
from .words import words_of

_OPENING, _CLOSING = '"\u201c\u201d\u201e\u00ab', '"\u201c\u201d\u00bb'
_ARTICLE = r"(?i:(?:the|as|an?|der|die|das|als|le|la)\s+|l['\u2019])"
_CALLED = (
    r"\b(?i:herein(?:after)?|hereafter|nachfolgend|nachstehend|im folgenden|ci-apr[e\u00e8]s)\s"
)
_ROLE = rf"(?:{_ARTICLE}(?:[^\W\d_]+ )?)?['\u2018]?[^\W\d_]+['\u2019]?"

_DEFINITION = (
    rf"\((?:[^()\n]{{0,60}}[{_OPENING}]|{_CALLED})[^()\n]{{2,60}}\)"
    rf"|{_CALLED}[^\n,;.()]{{2,60}}"
)
_STOP = rf",\s+(?:and|und|et)\s|{SENTENCE_END}"
"""What ends all that is said of a name: 'Al Kay, a Texan, and Bob Lee ("Buyer")'."""
_DESCRIPTION = rf"(?:(?!{_STOP})(?:,|\s[\u2013-]\s)(?:(?!{_STOP})[^()\n;]){{0,100}}?)?"
_PLACE = rf"(?:(?!{_STOP}),[^().,;\n]{{2,30}}){{0,2}}"
_APPOSITIONS = (
    re.compile(rf"\.?,\s+{_ARTICLE}([^\n,;.()]{{2,40}})[,;.)\n]"),
    re.compile(rf"\.?{_PLACE}\s*\(({_ROLE})\)"),
    re.compile(rf"\.?{_DESCRIPTION}\s*({_DEFINITION})"),
)
"""The nearest first."""
_DEFINED = re.compile(rf"(?<=\S)\s(?:{_DEFINITION}|\({_ROLE}\))(?!\s*:)")
_QUOTED = re.compile(rf"[{_OPENING}]([^{_OPENING}{_CLOSING}]+)[{_CLOSING}]")


def apposition_at(text: str, end: int) -> tuple[str, ...]:
    """Return the folded words that say what a name is which ends at `end`; none where none do."""
    found = (match[1] for pattern in _APPOSITIONS if (match := pattern.match(text, end)))
    said = [" ".join(_QUOTED.findall(part)) or part for part in found]
    return tuple(word.folded for word in words_of(", ".join(said)))


def last_definition(text: str, start: int, end: int) -> int:
    """Return where, between two places, the last name ends with what it is called; else `start`.

    'John Smith ("Landlord") and Mary Jones': "Landlord" is said of John Smith alone.
    """
    return max((match.end() for match in _DEFINED.finditer(text, start, end)), default=start)
