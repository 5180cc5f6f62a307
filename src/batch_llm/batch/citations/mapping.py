"""Which citation supports which field of a structured answer."""

from __future__ import annotations

from collections import defaultdict
from heapq import nlargest
from typing import TYPE_CHECKING

from ...base.cited_value import CitedValue
from .anchors import anchor, mark_neighbours, without_shadowed
from .dates import order_of_digits, read_in_order
from .leaves import leaves_of
from .numbers import decimal_mark, read_with_mark
from .passage import Passage
from .rivals import Rivals
from .scoring import candidate
from .value_search import count_places, find_value

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from ...base.citation import Citation
    from .cited_text import CitedText
    from .leaves import Leaf, Path
    from .scoring import Candidate

LEAST_CONFIDENCE = 0.5
"""Below this, a citation is a guess and is left out."""
_CLEARLY = 0.9
_MOST_PLACES = 50_000
"""Of all fields together, those that are alike counted once. More would take long."""
_MOST_CANDIDATES = 200_000
"""The same, with all fields that are alike."""
_MOST_SEARCHES = 1_000_000
"""Of a value in a passage."""

_Candidates = dict["Path", list["Candidate"]]
_Places = tuple[tuple[int, int], ...]


def map_citations(
    answer: BaseModel | Mapping[str, object] | Sequence[object],
    citations: Iterable[Citation],
    *,
    blocks: Sequence[CitedText] = (),
    least_confidence: float = LEAST_CONFIDENCE,
) -> dict[str, list[CitedValue]]:
    """Return the citations that state the value of each field, best first.

    A value is looked for in the cited texts as people write it: 1234.5 is in "1,234.50" and in
    "EUR 1.234,50", 0.19 in "19 %", 2024-03-03 in "March 3, 2024". Only whole words and numbers
    count. A common value needs more than itself: words of the field's name beside it, values of
    its list item in the same row, or that the model cited the passage where it wrote the value.
    A value that several passages have without such a difference is of none of them.

    Args:
        answer: the structured answer; models, lists and dictionaries may be nested.
        citations: in any order; the order changes nothing but that of equals.
        blocks: the parts of the answer's text with their own citations (`read_anthropic`,
            `read_gemini`). Their citations need not be given again.
        least_confidence: what is less sure is left out.

    Returns:
        By the path of the field, such as "items.2.price". A field that nothing supports is
        absent, so that `.get(path)` is None; booleans, None and empty texts always are.
    """
    sources = _in_canonical_order([*citations, *(one for part in blocks for one in part.citations)])
    passages = _read([source.cited_text for source in sources])
    leaves = leaves_of(answer)
    found = _candidates(leaves, passages)
    _claim(found, leaves, blocks, sources)
    found = without_shadowed(anchor(found, passages))
    found = _settled(found)
    mark_neighbours(found)
    chosen = {path: _best(candidates) for path, candidates in found.items()}
    _place_in_order(chosen, found)
    return _as_values(chosen, sources, least_confidence)


def _in_canonical_order(citations: Iterable[Citation]) -> list[Citation]:
    def position(citation: Citation) -> tuple[object, ...]:
        place = (citation.document_index, citation.start, citation.end, citation.answer_start)
        known = tuple(-1 if number is None else number for number in place)
        return (*known, citation.cited_text, citation.url or "", citation.document_title or "")

    return sorted(dict.fromkeys(citations), key=position)


def _read(texts: Iterable[str]) -> list[Passage]:
    passages = [Passage.read(text) for text in texts]
    is_day_first = order_of_digits(date for passage in passages for date in passage.dates)
    mark = decimal_mark(number for passage in passages for number in passage.numbers)
    for passage in passages:
        passage.dates = [read_in_order(date, is_day_first) for date in passage.dates]
        passage.numbers = [read_with_mark(number, mark) for number in passage.numbers]
    return passages


def _candidates(leaves: list[Leaf], passages: list[Passage]) -> _Candidates:
    """Return the places that each leaf may have been read from; none beyond a bound of all."""
    found: _Candidates = {leaf.path: [] for leaf in leaves}
    rivals = Rivals(leaves)
    for alike in _within_bounds(leaves, passages):
        places = [
            candidate(alike[0], source, passage, place, rivals)
            for source, passage in enumerate(passages)
            for place in find_value(alike[0], passage)
        ]
        likely = [one for one in places if not one.is_of_other]
        for leaf in alike:
            found[leaf.path] = [one.of(leaf) for one in likely]
    return found


def _within_bounds(leaves: list[Leaf], passages: list[Passage]) -> list[list[Leaf]]:
    """Return leaves of one kind together, without those that have the most places.

    What stands everywhere is the least likely to be told apart, and takes the most time.
    """
    kinds: dict[Hashable, list[Leaf]] = defaultdict(list)
    for leaf in leaves:
        kinds[leaf.kind].append(leaf)
    looked_for = list(kinds.values())[: _MOST_SEARCHES // max(1, len(passages))]
    counted = [
        (sum(count_places(alike[0], passage) for passage in passages), alike)
        for alike in looked_for
    ]
    kept, places, candidates = list[list["Leaf"]](), 0, 0
    for count, alike in sorted(counted, key=lambda one: one[0] * len(one[1])):
        places, candidates = places + count, candidates + count * len(alike)
        if places > _MOST_PLACES or candidates > _MOST_CANDIDATES:
            break
        kept.append(alike)
    return kept


def _claim(
    found: _Candidates, leaves: list[Leaf], blocks: Sequence[CitedText], sources: list[Citation]
) -> None:
    """Mark the candidates in passages that the model cited where it wrote the leaf."""
    parts = [part for part in blocks if part.citations]
    passages = [Passage.read(part.text) for part in parts]
    at = {source: index for index, source in enumerate(sources)}
    by_path = _candidates(leaves, passages)
    for leaf in leaves:
        written = _best(by_path[leaf.path])
        claimed = {at[one] for place in written for one in parts[place.source].citations}
        if not any(one.source in claimed for one in found[leaf.path]):
            continue
        found[leaf.path] = [one for one in found[leaf.path] if one.source in claimed]
        for one in found[leaf.path]:
            one.is_claimed = True


def _settled(found: _Candidates) -> _Candidates:
    """Leave each place to the fields that have most to say for it."""
    most_at: dict[tuple[int, int], dict[Path, float]] = defaultdict(dict)
    shapes = {path: _shape(path) for path in found}
    for path, candidates in found.items():
        for one in candidates:
            most = most_at[one.order]
            most[shapes[path]] = max(one.strength, most.get(shapes[path], 0.0))
    best_at = {order: nlargest(2, most.items(), key=_second) for order, most in most_at.items()}
    return {
        path: [one for one in candidates if _holds(one, shapes[path], best_at[one.order])]
        for path, candidates in found.items()
    }


def _second(pair: tuple[Path, float]) -> float:
    return pair[1]


def _holds(one: Candidate, shape: Path, best: list[tuple[Path, float]]) -> bool:
    """Tell whether no field of another shape has clearly more to say for a place.

    Args:
        one: what was found there.
        shape: of its path.
        best: the two shapes that have most to say there, with how much that is.
    """
    if one.is_near or one.is_claimed:
        return True
    rival = next((strength for other, strength in best if other != shape), None)
    if rival is None:
        return True
    return one.strength > 0 and rival < one.strength + 1


def _shape(path: Path) -> Path:
    """Return a path that all items of a list share."""
    return tuple("*" if isinstance(part, int) else part for part in path)


def _best(candidates: list[Candidate]) -> list[Candidate]:
    """Return the candidates that support a leaf, one a passage; none where it is not clear."""
    supported = [one for one in candidates if one.is_supported]
    if not supported:
        return []
    most = max(one.strength for one in supported)
    top: dict[int, Candidate] = {}
    for one in sorted(supported, key=lambda one: (-one.strength, one.order)):
        if one.strength > most - _CLEARLY:
            top.setdefault(one.source, one)
    is_clear = len(top) == 1 or all(one.is_near or one.is_claimed for one in top.values())
    return list(top.values()) if is_clear else []


def _place_in_order(chosen: dict[Path, list[Candidate]], found: _Candidates) -> None:
    """Give the same value of several list items to as many places, first to first."""
    groups: dict[tuple[Path, _Places], list[Path]] = defaultdict(list)
    for path, candidates in found.items():
        if not chosen[path] and any(isinstance(part, int) for part in path):
            places = tuple(sorted(one.order for one in candidates if one.is_supported))
            groups[_shape(path), places].append(path)
    for (_, places), paths in groups.items():
        if len(places) == len(paths) > 1:
            for path, place in zip(paths, places, strict=True):
                chosen[path] = [one for one in found[path] if one.order == place]
                chosen[path][0].is_in_order = True


def _as_values(
    chosen: dict[Path, list[Candidate]], sources: list[Citation], least_confidence: float
) -> dict[str, list[CitedValue]]:
    values: dict[str, list[CitedValue]] = {}
    for path, candidates in chosen.items():
        cited = [
            CitedValue(
                sources[one.source], round(one.confidence, 2), one.place.start, one.place.end
            )
            for one in candidates
            if one.confidence >= least_confidence
        ]
        if cited:
            values[".".join(map(str, path))] = sorted(cited, key=lambda one: -one.confidence)
    return values
