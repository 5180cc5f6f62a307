"""The other fields that a place may be of, by the words of their names."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from .vocabulary import telling
from .words import is_same_word, root

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .leaves import Leaf

_Name = tuple[str, ...]


class Rivals:
    """The names of an answer's fields, those of texts apart from those of numbers and dates."""

    def __init__(self, leaves: Iterable[Leaf]) -> None:
        names = {(leaf.is_text, leaf.name): telling(list(leaf.name)) for leaf in leaves}
        counts = Counter(root(word) for words in names.values() for word in words)
        self._by_root: dict[tuple[bool, str], list[tuple[_Name, list[str]]]] = defaultdict(list)
        for (is_text, name), words in names.items():
            if words:
                # All words of a name must be said, so that it is enough to ask for the rarest.
                rarest = min(map(root, words), key=counts.__getitem__)
                self._by_root[is_text, rarest].append((name, words))

    def take(self, own: _Name, said: Sequence[str], words: Sequence[str], *, is_text: bool) -> bool:
        """Tell whether `words` name another field whole, and of `said` nothing it is not named.

        Args:
            own: the name of the field that the place was found for.
            said: those of its words that `words` have.
            words: what stands beside the place.
            is_text: the other field must be one of a text; else it must not.
        """
        return any(
            name != own and _takes(names, said, words)
            for beginning in {root(word) for word in words}
            for name, names in self._by_root.get((is_text, beginning), ())
        )


def _takes(names: Sequence[str], said: Sequence[str], words: Sequence[str]) -> bool:
    return all(_has(words, name) for name in names) and all(_has(names, word) for word in said)


def _has(words: Sequence[str], wanted: str) -> bool:
    return any(is_same_word(wanted, word) for word in words)
