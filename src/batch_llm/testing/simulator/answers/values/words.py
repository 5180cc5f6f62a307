"""Plain words, for texts of which nothing but the length is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .draws import Draws

# fmt: off
_WORDS: Final = (
    "amber", "apple", "arch", "autumn", "basin", "birch", "blue", "bridge", "brook", "candle",
    "cedar", "chalk", "cloud", "clover", "coast", "copper", "coral", "crane", "dawn", "delta",
    "dune", "east", "elm", "ember", "falcon", "fern", "field", "flint", "forest", "frost",
    "garden", "glass", "gold", "grain", "green", "harbor", "hazel", "heron", "hill", "honey",
    "island", "ivory", "jade", "juniper", "kite", "lake", "lamp", "lantern", "leaf", "lemon",
    "light", "lily", "linen", "maple", "marble", "meadow", "mill", "mint", "moon", "moss",
    "north", "oak", "ocean", "olive", "orchard", "otter", "pearl", "pebble", "pine", "plum",
    "pond", "quartz", "rain", "raven", "reed", "river", "rose", "saffron", "sail", "salt", "sand",
    "shell", "silver", "sky", "slate", "south", "spring", "star", "stone", "storm", "summer",
    "swan", "thistle", "tide", "timber", "valley", "velvet", "violet", "walnut", "water", "west",
    "willow", "wind", "winter", "wool", "yarrow",
)
# fmt: on
_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
_USUAL_WORDS: Final = 4


def one_word(draws: Draws) -> str:
    """Return a word in small letters."""
    return draws.pick(_WORDS)


def some_words(draws: Draws, least: int = 1, most: int | None = None) -> str:
    """Return one to four words, or as many as have `least` to `most` characters."""
    text = " ".join([one_word(draws) for _ in range(1 + draws.below(_USUAL_WORDS))])
    while len(text) < least:
        # Of what is long already, twice as much: a text of a million characters is made as well.
        text = f"{text} {text}" if len(text) > 1_000 else f"{text} {one_word(draws)}"
    if most is None or len(text) <= most:
        return text
    cut = text[: draws.between(least, most) if most - least < len(text) else most]
    return cut[:-1] + draws.pick(_LETTERS) if cut.endswith(" ") else cut


def some_letters(draws: Draws, count: int) -> str:
    """Return so many small letters."""
    return "".join([draws.pick(_LETTERS) for _ in range(count)])
