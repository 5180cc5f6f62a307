"""Which list item a place in a passage belongs to, by the texts of the item around it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .leaves import Path
    from .passage import Passage
    from .scoring import Candidate

_MOST_CHARACTERS_OF_NAME = 60

_Span = tuple[int, int, int]
"""A passage, and where in it a text starts and ends."""


@dataclass(frozen=True, slots=True)
class _Anchor:
    start: int
    end: int
    row: Path


@dataclass(frozen=True, slots=True)
class _Anchors:
    """Those of a list's items in a passage.

    Attributes:
        in_order: by where they start.
        starts: where they do.
        row_at: the item of each, by its place.
        rows: all these items.
        owner_at: the item that a place belongs to, for those that were asked for.
    """

    in_order: list[_Anchor]
    starts: list[int]
    row_at: dict[tuple[int, int], Path]
    rows: set[Path]
    owner_at: dict[int, Path | None] = field(default_factory=dict)

    @classmethod
    def of(cls, anchors: list[_Anchor]) -> _Anchors:
        in_order = sorted(anchors, key=lambda one: one.start)
        row_at = {(one.start, one.end): one.row for one in anchors}
        return cls(in_order, [one.start for one in in_order], row_at, set(row_at.values()))

    def row_from(self, place: int) -> Path:
        """Return the item of the first that starts where the one at `place` does."""
        return self.in_order[bisect_left(self.starts, self.starts[place])].row


def without_shadowed(found: dict[Path, list[Candidate]]) -> dict[Path, list[Candidate]]:
    """Drop the places of texts that are a part of a longer text of another field."""
    paths_at: dict[_Span, set[Path]] = defaultdict(set)
    for path, candidates in found.items():
        for one in candidates:
            if one.place.is_text:
                paths_at[_span(one)].add(path)
    longer = _longer_texts(paths_at)

    def is_shadowed(path: Path, one: Candidate) -> bool:
        return one.place.is_text and not longer[_span(one)] <= {path}

    return {
        path: [one for one in candidates if not is_shadowed(path, one)]
        for path, candidates in found.items()
    }


def _span(one: Candidate) -> _Span:
    return one.source, one.place.start, one.place.end


def _longer_texts(paths_at: dict[_Span, set[Path]]) -> dict[_Span, frozenset[Path]]:
    """Return, by each text, fields whose texts it is a part of.

    No more than two of those that have the same text: one of two is another field.
    """
    ends: dict[tuple[int, int], list[int]] = defaultdict(list)
    for source, start, end in paths_at:
        if end - start <= _MOST_CHARACTERS_OF_NAME:
            ends[source, start].append(end)
    longer: dict[_Span, frozenset[Path]] = {}
    for source, start, end in paths_at:
        paths = (
            path
            for before in range(max(0, end - _MOST_CHARACTERS_OF_NAME), start + 1)
            for after in ends.get((source, before), ())
            if after >= end and after - before > end - start
            for path in islice(paths_at[source, before, after], 2)
        )
        longer[source, start, end] = frozenset(paths)
    return longer


def anchor(
    found: dict[Path, list[Candidate]], passages: list[Passage]
) -> dict[Path, list[Candidate]]:
    """Keep, of the places of a list item's values, those in its rows, where its rows are known."""
    by_list = _anchors(without_shadowed(found))
    known = {row for anchors in by_list.values() for held in anchors.values() for row in held.rows}
    kept: dict[Path, list[Candidate]] = {}
    for path, candidates in found.items():
        row = candidates[0].leaf.row if candidates else None
        if row is None or row not in known:
            kept[path] = candidates
        else:
            anchors = by_list[row[:-1]]
            kept[path] = [one for one in candidates if _is_in_row(one, row, anchors, passages)]
    return kept


def _anchors(found: dict[Path, list[Candidate]]) -> dict[Path, dict[int, _Anchors]]:
    """Return, by list and passage, the texts that only one of the list's items has there."""
    rows_at: dict[tuple[Path, int, int, int], set[Path]] = defaultdict(set)
    for candidates in found.values():
        for one in candidates:
            row = one.leaf.row
            if row and one.place.is_text and (one.is_near or not one.place.needs_label):
                rows_at[row[:-1], one.source, one.place.start, one.place.end].add(row)
    anchors: dict[Path, dict[int, list[_Anchor]]] = defaultdict(lambda: defaultdict(list))
    for (path, source, start, end), rows in rows_at.items():
        if len(rows) == 1:
            anchors[path][source].append(_Anchor(start, end, rows.copy().pop()))
    return {
        path: {source: _Anchors.of(held) for source, held in by_source.items()}
        for path, by_source in anchors.items()
    }


def _is_in_row(
    one: Candidate, row: Path, anchors: dict[int, _Anchors], passages: list[Passage]
) -> bool:
    held = anchors.get(one.source)
    if held is None:
        return one.is_near
    own = held.row_at.get((one.place.start, one.place.end))
    if own is not None:
        one.is_anchored = len(held.rows) == 1 or len(held.starts) > 1
        return own == row
    at = one.place.start
    if at not in held.owner_at:
        held.owner_at[at] = _owner(at, held, passages[one.source])
    owner = held.owner_at[at]
    if owner == row:
        one.is_anchored = True
    return owner == row or (owner is None and one.is_near)


def _owner(at: int, anchors: _Anchors, passage: Passage) -> Path | None:
    """Return the item whose text is the last before `at` in its line, or the first after it."""
    if len(anchors.rows) == 1:
        return anchors.in_order[0].row
    first = bisect_left(anchors.starts, passage.row_start(at))
    beyond = bisect_left(anchors.starts, passage.row_end(at))
    before = bisect_right(anchors.starts, at)
    if first < beyond:
        return anchors.row_from(max(first, before - 1))
    return anchors.row_from(before - 1) if before else None


def mark_neighbours(found: dict[Path, list[Candidate]]) -> None:
    """Mark the places in passages where values of the same list or object surely are."""
    sure: dict[tuple[Path, int], set[Path]] = defaultdict(set)
    for path, candidates in found.items():
        supported = [one for one in candidates if one.is_supported]
        if len({one.source for one in supported}) == 1:
            sure[path[:-1], supported[0].source].add(path)
    for path, candidates in found.items():
        if len(path) > 1:
            for one in candidates:
                beside = sure.get((path[:-1], one.source), ())
                one.is_among = len(beside) > (path in beside)
