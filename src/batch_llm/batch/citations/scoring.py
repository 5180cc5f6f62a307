"""How much speaks for a place of a value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .contraries import says_contrary
from .units import unit_words
from .vocabulary import STOP_WORDS, concepts_of, exclude_each_other, telling
from .words import is_same_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .leaves import Leaf
    from .passage import Label, Passage
    from .rivals import Rivals
    from .value_search import Place

NEUTRAL = 0.7
IN_ORDER = 0.6
_DIGITS_OF_YEAR = 4
_WORDS_OF_NAME = 4
"""What has more words is no name of anybody, or anything."""


@dataclass(slots=True)
class Candidate:
    """A place that may be the one a leaf was read from, and what speaks for it.

    Attributes:
        leaf: whose value it is.
        source: which passage, by its place among all.
        place: where in the passage.
        is_near: words of the field's name stand beside it.
        is_whole: all of them do.
        is_wide: they are elsewhere in the passage.
        is_parents: words of the names above stand beside it.
        is_of_other: what stands beside it speaks of another role, such as "due" for a start, or
            of the contrary, such as "min" for a maximum.
        is_of_rival: it names another field of the answer, and this one not, or in part.
        is_claimed: the model cited the passage where it wrote the value.
        is_anchored: it is in the row of its list item.
        is_among: values of the same list, or object, are in the passage.
        is_in_order: only its turn among equal places tells.
        order: where it is among all passages.
    """

    leaf: Leaf
    source: int
    place: Place
    is_near: bool = False
    is_whole: bool = False
    is_wide: bool = False
    is_parents: bool = False
    is_of_other: bool = False
    is_of_rival: bool = False
    is_claimed: bool = False
    is_anchored: bool = False
    is_among: bool = False
    is_in_order: bool = False
    order: tuple[int, int] = field(default=(0, 0))

    def of(self, leaf: Leaf) -> Candidate:
        """Return the same place for another leaf of the same kind."""
        return Candidate(
            leaf,
            self.source,
            self.place,
            is_near=self.is_near,
            is_whole=self.is_whole,
            is_wide=self.is_wide,
            is_parents=self.is_parents,
            is_of_other=self.is_of_other,
            is_of_rival=self.is_of_rival,
            order=self.order,
        )

    @property
    def strength(self) -> float:
        """What speaks for it, in one number; candidates of a leaf are compared by it."""
        return (
            3.0 * self.is_claimed
            + 3.0 * self.is_near
            + 1.0 * self.is_whole
            + 2.0 * self.is_anchored
            + 1.5 * (self.is_wide and not self.is_near)
            + 1.0 * self.is_parents
            + 1.0 * self.place.has_unit
            + 1.0 * self.is_among
        )

    @property
    def is_supported(self) -> bool:
        """Whether more than the value speaks for it, where the value is not enough."""
        if self.is_of_rival and not (self.is_claimed or self.is_anchored):
            return False
        labelled = self.is_near or self.is_claimed or self.is_anchored or self.is_wide
        if not self.place.needs_label:
            return True
        return labelled or self.is_among

    @property
    def confidence(self) -> float:
        """As `CitedValue` explains it."""
        if self.is_in_order:
            base = IN_ORDER
        elif self.is_near or self.is_claimed:
            base = 0.95
        elif self.is_anchored:
            base = 0.85
        elif self.is_wide or self.is_among:
            base = 0.8
        else:
            base = NEUTRAL
        return base * self.place.certainty


def candidate(leaf: Leaf, source: int, passage: Passage, place: Place, rivals: Rivals) -> Candidate:
    """Return `place` with what its label says; `rivals` are all fields that it may be of."""
    label = passage.label(place.start, place.end, is_text=place.is_text)
    names = _telling_names(leaf)
    beside = [*label.left, *label.right[:1]]
    said = _said(names, label)
    near = _are_enough(said, names)
    outside = [
        name for name in names if passage.index.is_said_outside(name, place.start, place.end)
    ]
    parents = telling(list(leaf.parents))
    # A sentence before a long text is no label of it.
    is_label = not _is_long(leaf, place) or passage.is_after_head(place.start)
    is_contrary = is_label and says_contrary(
        leaf.name,
        leaf.parents,
        label.own,
        label.right,
        label.apposition,
        leads_on=label.leads_on,
    )
    is_of_other_year = _is_of_other_year(leaf, set(passage.year_after(place.end)))
    # A name among words that are a sentence heads no text; one with a colon does: "Author: Al Kay".
    may_be_of_other = not place.is_text or passage.is_headed(place.start, place.end)
    return Candidate(
        leaf,
        source,
        place,
        is_near=near,
        is_whole=near and len(said) == len(names),
        is_wide=_are_enough(outside, names),
        is_parents=_are_enough(_said(parents, label), parents),
        is_of_other=is_contrary
        or is_of_other_year
        or (not near and exclude_each_other(label.roles, concepts_of(names))),
        is_of_rival=len(said) < len(names)
        and may_be_of_other
        and rivals.take(leaf.name, said, beside, is_text=place.is_text),
        order=(source, place.start),
    )


def _is_of_other_year(leaf: Leaf, years: set[str]) -> bool:
    own = {word for word in leaf.name if word.isdigit() and len(word) == _DIGITS_OF_YEAR}
    return bool(own and years) and not own & years


def _is_long(leaf: Leaf, place: Place) -> bool:
    return place.is_text and len((leaf.text or "").split()) > _WORDS_OF_NAME


def _telling_names(leaf: Leaf) -> list[str]:
    names = list(leaf.name)
    own = telling(names)
    without_units = [word for word in own if word not in unit_words(names)]
    if without_units or own:
        return without_units or own
    # "name" and "date" tell something where nothing else does.
    return [*telling(list(leaf.parents)), *(name for name in names if name not in STOP_WORDS)]


def _are_enough(said: Sequence[str], names: Sequence[str]) -> bool:
    """Tell whether `said` are at least half of `names`, and all years among these."""
    if any(name.isdigit() and name not in said for name in names):
        return False
    return bool(names) and len(said) * 2 >= len(names)


def _said(names: Sequence[str], label: Label) -> list[str]:
    """Return those of `names` that a label says, by a form of the word or one that means it."""
    return [
        name
        for name in names
        if any(is_same_word(name, word) for word in label.words)
        or not label.concepts.isdisjoint(concepts_of([name]))
    ]
