"""Where the words of a text stand, read once for all that is looked for in it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

from .vocabulary import NEGATIONS, concepts_of
from .words import is_same_word, root

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .words import Word

_MOST_FORMS = 500
"""No word has so many forms; what more words begin with is of a text that is none."""


class WordIndex:
    """The words of a text by what they are.

    Attributes:
        starts: the first characters of the words, in order.
        folded: the words themselves.
        places: by a folded word, its places among all words, in order.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self.starts = [word.start for word in words]
        self.folded = [word.folded for word in words]
        self.places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(self.folded):
            self.places[word].append(place)
        self.places.default_factory = None
        self._forms: dict[str, list[int]] = {}
        self._said: dict[str, list[int]] = {}

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return the place of the first word from one character on, and from another one on."""
        return bisect_left(self.starts, start), bisect_left(self.starts, end)

    def forms_of(self, word: str) -> list[int]:
        """Return the places of all forms of a folded word."""
        if (known := self._forms.get(word)) is None:
            known = self._forms[word] = self._merged(self._same(word))
        return known

    def is_said_outside(self, name: str, start: int, end: int) -> bool:
        """Tell whether a word of a field's name is said, save between two characters."""
        if (said := self._said.get(name)) is None:
            concepts = concepts_of([name])
            meant = (word for concept in concepts for word in self._by_concept.get(concept, ()))
            said = self._said[name] = self._merged({*self._same(name), *meant})
        first, after = self.span(start, end)
        return len(said) > bisect_left(said, after) - bisect_left(said, first)

    @cached_property
    def denials(self) -> list[int]:
        """How many words before each place deny something, and in all, at the end."""
        counts = [0]
        for word in self.folded:
            counts.append(counts[-1] + (word in NEGATIONS))
        return counts

    @cached_property
    def joined(self) -> str:
        """The words, with nothing between them."""
        return "".join(self.folded)

    @cached_property
    def offsets(self) -> list[int]:
        """Where the words begin in `joined`, and where the last ends."""
        offsets = [0]
        for word in self.folded:
            offsets.append(offsets[-1] + len(word))
        return offsets

    @cached_property
    def _by_root(self) -> dict[str, list[str]]:
        by_root: dict[str, list[str]] = defaultdict(list)
        for word in self.places:
            by_root[root(word)].append(word)
        return by_root

    @cached_property
    def _by_concept(self) -> dict[str, list[str]]:
        by_concept: dict[str, list[str]] = defaultdict(list)
        for word in self.places:
            for concept in concepts_of([word]):
                by_concept[concept].append(word)
        return by_concept

    def _same(self, wanted: str) -> list[str]:
        alike = self._by_root.get(root(wanted), [])
        if len(alike) > _MOST_FORMS:
            return [wanted] if wanted in self.places else []
        return [word for word in alike if is_same_word(word, wanted)]

    def _merged(self, words: Iterable[str]) -> list[int]:
        found = [self.places[word] for word in words]
        return found[0] if len(found) == 1 else sorted(chain.from_iterable(found))
