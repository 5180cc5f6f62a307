"""Which citation supports which field of a structured answer."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from ...base.cited_value import CitedValue
from .anchors import anchor, mark_neighbours, without_shadowed
from .dates import order_of_digits, read_in_order
from .leaves import leaves_of
from .numbers import decimal_mark, read_with_mark
from .passage import Passage
from .scoring import candidate
from .value_search import find_value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pydantic import BaseModel

    from ...base.citation import Citation
    from .cited_text import CitedText
    from .leaves import Leaf, Path
    from .scoring import Candidate

LEAST_CONFIDENCE = 0.5
"""Below this, a citation is a guess and is left out."""
_CLEARLY = 0.9

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
    found: _Candidates = {leaf.path: _candidates(leaf, passages, leaves) for leaf in leaves}
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


def _candidates(leaf: Leaf, passages: list[Passage], leaves: list[Leaf]) -> list[Candidate]:
    others = [other for other in leaves if other.name != leaf.name]
    found = [
        candidate(leaf, source, passage, place, others)
        for source, passage in enumerate(passages)
        for place in find_value(leaf, passage)
    ]
    return [one for one in found if not one.is_of_other]


def _claim(
    found: _Candidates, leaves: list[Leaf], blocks: Sequence[CitedText], sources: list[Citation]
) -> None:
    """Mark the candidates in passages that the model cited where it wrote the leaf."""
    parts = [part for part in blocks if part.citations]
    passages = [Passage.read(part.text) for part in parts]
    at = {source: index for index, source in enumerate(sources)}
    for leaf in leaves:
        written = _best(_candidates(leaf, passages, leaves))
        claimed = {at[one] for place in written for one in parts[place.source].citations}
        if not any(one.source in claimed for one in found[leaf.path]):
            continue
        found[leaf.path] = [one for one in found[leaf.path] if one.source in claimed]
        for one in found[leaf.path]:
            one.is_claimed = True


def _settled(found: _Candidates) -> _Candidates:
    """Leave each place to the fields that have most to say for it."""
    by_place: dict[tuple[int, int], list[Candidate]] = defaultdict(list)
    for candidates in found.values():
        for one in candidates:
            by_place[one.order].append(one)
    return {
        path: [one for one in candidates if _holds(one, by_place[one.order])]
        for path, candidates in found.items()
    }


def _holds(one: Candidate, rivals: list[Candidate]) -> bool:
    if one.is_near or one.is_claimed:
        return True
    others = [rival for rival in rivals if _shape(rival.leaf.path) != _shape(one.leaf.path)]
    if any(rival.strength >= one.strength + 1 for rival in others):
        return False
    return one.strength > 0 or not others


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
