"""Texts that fit a regular expression."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Final, Protocol

from .....exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .draws import Draws

_ENDLESS: Final = 1_000_000
_DIGITS: Final = string.digits
_WORD: Final = string.ascii_lowercase + string.ascii_uppercase + string.digits + "_"
_BLANKS: Final = " "
_PRINTED: Final = "".join(map(chr, range(32, 127)))
_CLASSES: Final = {
    "d": _DIGITS,
    "w": _WORD,
    "s": _BLANKS,
    "D": "".join(c for c in _PRINTED if c not in _DIGITS),
    "W": "".join(c for c in _PRINTED if c not in _WORD),
    "S": "".join(c for c in _PRINTED if not c.isspace()),
}
_PROPERTIES: Final = {
    "L": string.ascii_letters,
    "Letter": string.ascii_letters,
    "Lu": string.ascii_uppercase,
    "Ll": string.ascii_lowercase,
    "N": _DIGITS,
    "Nd": _DIGITS,
    "P": ".,;:!?-",
    "Zs": " ",
}
_CONTROLS: Final = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_CODES: Final = {"x": 2, "u": 4}


class Piece(Protocol):
    """A part of a regular expression.

    Attributes:
        least: characters that its texts have at least.
        most: and at most.
    """

    least: int
    most: int

    def text(self, draws: Draws, width: int) -> str:
        """Return a text of `width` characters, or one close to it where there is none."""
        ...


class OneCharacter:
    """Any of some characters."""

    least = most = 1

    def __init__(self, characters: str) -> None:
        self._characters = characters

    def text(self, draws: Draws, width: int) -> str:
        """Return one of them."""
        return draws.pick(self._characters)


class Chain:
    """One piece after the other."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self.least = sum(piece.least for piece in pieces)
        self.most = min(_ENDLESS, sum(piece.most for piece in pieces))

    def text(self, draws: Draws, width: int) -> str:
        """Return the texts of all, with the width spread over them."""
        limits = [(piece.least, piece.most) for piece in self._pieces]
        widths = _spread(draws, limits, width)
        return "".join(
            piece.text(draws, own) for piece, own in zip(self._pieces, widths, strict=True)
        )


class Choice:
    """One of some pieces."""

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self._pieces = pieces
        self.least = min(piece.least for piece in pieces)
        self.most = max(piece.most for piece in pieces)

    def text(self, draws: Draws, width: int) -> str:
        """Return the text of one that can have the width, where there is one."""
        fit = [piece for piece in self._pieces if piece.least <= width <= piece.most]
        piece = draws.pick(fit or self._pieces)
        return piece.text(draws, min(max(width, piece.least), piece.most))


class Repeat:
    """A piece several times."""

    def __init__(self, piece: Piece, low: int, high: int) -> None:
        self._piece, self._low, self._high = piece, low, high
        self.least = low * piece.least
        self.most = min(_ENDLESS, high * piece.most)

    def text(self, draws: Draws, width: int) -> str:
        """Return as many as can have the width together."""
        piece = self._piece
        if piece.most == 0:
            return piece.text(draws, 0) * self._low
        fewest = max(self._low, -(-width // piece.most))
        most = self._high if piece.least == 0 else min(self._high, width // piece.least)
        # More of them than characters would only be empty ones.
        count = draws.between(fewest, max(fewest, min(most, max(fewest, width))))
        widths = _spread(draws, [(piece.least, piece.most)] * count, width)
        return "".join(piece.text(draws, own) for own in widths)


class _Edge:
    """The start or the end of a text or a word, or a look-around: nothing is written there."""

    least = most = 0

    def text(self, draws: Draws, width: int) -> str:
        return ""


def parse_pattern(pattern: str) -> Piece:
    r"""Return what writes texts that fit `pattern`.

    Known are characters, classes, groups, alternatives, repeats, and `\p{…}` for the commonest
    properties. Edges and look-around write nothing: whether a text keeps to them is for a check to
    say, and for another try.

    Raises:
        InputError: for back-references, flags and whatever else is unknown here.
    """
    return _Reader(pattern).read()


class _Reader:
    """Reads one pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def read(self) -> Piece:
        whole = self._choice()
        if self._at < len(self._pattern):
            raise self._unknown("an unmatched )")
        return whole

    def _choice(self) -> Piece:
        choices = [self._sequence()]
        while self._take("|"):
            choices.append(self._sequence())
        return choices[0] if len(choices) == 1 else Choice(choices)

    def _sequence(self) -> Piece:
        pieces: list[Piece] = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            pieces.append(self._repeated(self._piece()))
        return Chain(pieces)

    def _piece(self) -> Piece:
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return OneCharacter(self._class())
        if character == "\\":
            return self._escaped()
        if character in "^$":
            return _Edge()
        if character == ".":
            return OneCharacter(_WORD)
        if character in "*+?":
            raise self._unknown(f"a {character} with nothing before it")
        return OneCharacter(character)

    def _group(self) -> Piece:
        looks = any(self._take(sign) for sign in ("?=", "?!", "?<=", "?<!"))
        if not looks and self._take("?"):
            if self._take("<") or self._take("P<"):
                self._until(">")
            elif not self._take(":"):
                raise self._unknown("a group with flags")
        inner = self._choice()
        if not self._take(")"):
            raise self._unknown("a ( without its )")
        return _Edge() if looks else inner

    def _repeated(self, piece: Piece) -> Piece:
        counts = self._counts()
        if counts is None:
            return piece
        if not self._take("?"):  # a lazy repeat fits the same texts
            self._take("+")
        return self._repeated(Repeat(piece, *counts))

    def _counts(self) -> tuple[int, int] | None:
        for sign, counts in (("*", (0, _ENDLESS)), ("+", (1, _ENDLESS)), ("?", (0, 1))):
            if self._take(sign):
                return counts
        end = self._pattern.find("}", self._at)
        if self._peek() != "{" or end < 0:
            return None
        low, comma, high = self._pattern[self._at + 1 : end].partition(",")
        if not low.isdecimal() or not (high.isdecimal() or not high):
            return None
        self._at = end + 1
        return int(low), int(high) if high else (_ENDLESS if comma else int(low))

    def _escaped(self) -> Piece:
        character = self._next()
        if character in "bBAzZ":
            return _Edge()
        if character.isdecimal() and character != "0":
            raise self._unknown("a back-reference")
        return OneCharacter(self._escape(character))

    def _escape(self, character: str) -> str:
        """Return the characters that a backslash and `character` stand for."""
        if character in _CLASSES:
            return _CLASSES[character]
        if character in _CONTROLS:
            return _CONTROLS[character]
        if character in _CODES:
            return self._code(_CODES[character])
        if character in "pP":
            return self._property(is_negated=character == "P")
        if character.isalnum():
            raise self._unknown(f"\\{character}")
        return character

    def _code(self, length: int) -> str:
        digits = self._until("}") if self._take("{") else self._some(length)
        try:
            return chr(int(digits, 16))
        except (ValueError, OverflowError):
            raise self._unknown(f"the code {digits!r}") from None

    def _property(self, *, is_negated: bool) -> str:
        name = self._until("}") if self._take("{") else self._next()
        characters = _PROPERTIES.get(name)
        if characters is None:
            raise self._unknown(f"\\p{{{name}}}")
        return _without(characters) if is_negated else characters

    def _class(self) -> str:
        is_negated = self._take("^")
        characters = ""
        while self._peek() != "]":
            if self._pattern.startswith(("[", "&&", "--", "~~"), self._at):
                raise self._unknown("a class within a class")
            first = self._class_character()
            if len(first) == 1 and self._is_range():
                self._at += 1
                last = self._class_character()
                first = "".join(map(chr, range(ord(first), min(ord(last), ord(first) + 500) + 1)))
            characters += first
        self._at += 1
        characters = _without(characters) if is_negated else characters
        if not characters:
            raise self._unknown("a class of no characters")
        return characters

    def _is_range(self) -> bool:
        return self._peek() == "-" and not self._pattern.startswith("-]", self._at)

    def _class_character(self) -> str:
        character = self._next()
        if character != "\\":
            return character
        escaped = self._next()
        return "\b" if escaped == "b" else self._escape(escaped)

    # --- characters -------------------------------------------------------------------------

    def _peek(self) -> str:
        if self._at >= len(self._pattern):
            return "\0"
        return self._pattern[self._at]

    def _next(self) -> str:
        return self._some(1)

    def _some(self, length: int) -> str:
        taken = self._pattern[self._at : self._at + length]
        if len(taken) < length:
            raise self._unknown("an end in the middle")
        self._at += length
        return taken

    def _take(self, sign: str) -> bool:
        found = self._pattern.startswith(sign, self._at)
        self._at += len(sign) if found else 0
        return found

    def _until(self, sign: str) -> str:
        end = self._pattern.find(sign, self._at)
        taken = self._some((end if end >= 0 else len(self._pattern) + 1) - self._at)
        self._at += len(sign)
        return taken

    def _unknown(self, what: str) -> InputError:
        return InputError(
            f"No text can be made for the pattern {self._pattern!r}: it has {what}, which the "
            f"simulator cannot follow."
        )


def _without(characters: str) -> str:
    return "".join(character for character in _PRINTED if character not in characters)


def _spread(draws: Draws, limits: Sequence[tuple[int, int]], width: int) -> list[int]:
    """Return widths within `limits`, by chance, whose sum is `width` or close to it."""
    widths = [least for least, _ in limits]
    left = width - sum(widths)
    growing = [at for at, (least, most) in enumerate(limits) if most > least]
    while left > 0 and growing:
        at = draws.pick(growing)
        room = limits[at][1] - widths[at]
        more = min(room, draws.between(1, left))
        widths[at] += more
        left -= more
        if more == room:
            growing.remove(at)
    return widths
