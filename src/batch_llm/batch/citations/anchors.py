"""Which list item a place in a passage belongs to, by the texts of the item around it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .leaves import Path
    from .passage import Passage
    from .scoring import Candidate

_MOST_CHARACTERS_OF_NAME = 60


@dataclass(frozen=True, slots=True)
class _Anchor:
    start: int
    end: int
    row: Path


def without_shadowed(found: dict[Path, list[Candidate]]) -> dict[Path, list[Candidate]]:
    """Drop the places of texts that are a part of a longer text of another field."""
    texts = [one for candidates in found.values() for one in candidates if one.place.is_text]
    return {
        path: [one for one in candidates if not any(_covers(other, one) for other in texts)]
        for path, candidates in found.items()
    }


def _covers(longer: Candidate, one: Candidate) -> bool:
    if not one.place.is_text or longer.source != one.source or longer.leaf.path == one.leaf.path:
        return False
    length, covered = longer.place.end - longer.place.start, one.place.end - one.place.start
    is_inside = longer.place.start <= one.place.start and one.place.end <= longer.place.end
    return is_inside and covered < length <= _MOST_CHARACTERS_OF_NAME


def anchor(
    found: dict[Path, list[Candidate]], passages: list[Passage]
) -> dict[Path, list[Candidate]]:
    """Keep, of the places of a list item's values, those in its rows, where its rows are known."""
    by_list = _anchors(without_shadowed(found))
    kept: dict[Path, list[Candidate]] = {}
    for path, candidates in found.items():
        row = candidates[0].leaf.row if candidates else None
        anchors = by_list.get(row[:-1], {}) if row else {}
        if row is None or not any(one.row == row for held in anchors.values() for one in held):
            kept[path] = candidates
        else:
            kept[path] = [one for one in candidates if _is_in_row(one, row, anchors, passages)]
    return kept


def _anchors(found: dict[Path, list[Candidate]]) -> dict[Path, dict[int, list[_Anchor]]]:
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
    return anchors


def _is_in_row(
    one: Candidate, row: Path, anchors: dict[int, list[_Anchor]], passages: list[Passage]
) -> bool:
    held = anchors.get(one.source, [])
    own = [
        anchor for anchor in held if (anchor.start, anchor.end) == (one.place.start, one.place.end)
    ]
    if own:
        one.is_anchored = len({anchor.row for anchor in held}) == 1 or len(held) > 1
        return own[0].row == row
    owner = _owner(one.place.start, held, passages[one.source])
    if owner == row:
        one.is_anchored = True
    return owner == row or (owner is None and one.is_near)


def _owner(at: int, anchors: list[_Anchor], passage: Passage) -> Path | None:
    """Return the item whose text is the last before `at` in its line, or the first after it."""
    if not anchors:
        return None
    if len({anchor.row for anchor in anchors}) == 1:
        return anchors[0].row
    start, end = passage.row_start(at), passage.row_end(at)
    in_line = [anchor for anchor in anchors if start <= anchor.start < end]
    before = [anchor for anchor in in_line or anchors if anchor.start <= at]
    if before:
        return max(before, key=lambda anchor: anchor.start).row
    return min(in_line, key=lambda anchor: anchor.start).row if in_line else None


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
                one.is_among = bool(sure[path[:-1], one.source] - {path})
