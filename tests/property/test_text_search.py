"""A search by an index finds what a plain one finds, that looks at every word."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from batch_llm.batch.citations.passage import Passage
from batch_llm.batch.citations.sentences import SENTENCE_END, Breaks, breaks
from batch_llm.batch.citations.spans import Spans
from batch_llm.batch.citations.text_search import SoughtText, find_text
from batch_llm.batch.citations.vocabulary import NEGATIONS, STOP_WORDS
from batch_llm.batch.citations.words import is_same_word, words_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from batch_llm.batch.citations.words import Word

MANY = settings(max_examples=500, deadline=None, derandomize=True)

WORDS = st.sampled_from(
    ["growth", "grow", "employed", "employees", "employee", "expected", "demand", "half", "no",
     "not", "the", "of", "in", "12", "1", "7"]
)  # fmt: skip
LINES = st.lists(WORDS, min_size=1, max_size=24).map(" ".join)
DIGITS = st.lists(st.sampled_from(["1", "12", "121", "2", "de"]), min_size=1, max_size=9)
CLAUSE = re.compile(rf"[\n\t|;]|{SENTENCE_END}")
TEXTS = st.lists(
    st.sampled_from(["Al", "excl", "12", "b", ".", "!", ";", " ", "  ", "\n", " \n", "|", "\t"]),
    max_size=20,
).map("".join)
SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=12)


def plain_share(wanted: list[Word], window: list[Word]) -> tuple[int, int, float] | None:
    telling = [word.folded for word in wanted if word.folded not in STOP_WORDS | NEGATIONS]
    at = [
        place for place, word in enumerate(window)
        if any(is_same_word(word.folded, one) for one in telling)
    ]  # fmt: skip
    if not at or at[0] or len(telling) < 4:
        return None
    inside = [word.folded for word in window[: at[-1] + 1]]
    present = [one for one in telling if any(is_same_word(one, word) for word in inside)]
    share = len(present) / len(telling)
    if share < 0.8 or any(one.isdigit() for one in set(telling) - set(present)):
        return None
    if sum(w in NEGATIONS for w in inside) != sum(w.folded in NEGATIONS for w in wanted):
        return None
    return window[0].start, window[at[-1]].end, 0.9 * share


def plain_most(value: str, text: str) -> list[tuple[int, int, float]]:
    wanted, words = words_of(value), words_of(text)
    windows = (words[at : at + 2 * len(wanted)] for at in range(len(words)))
    shares = [share for window in windows if (share := plain_share(wanted, window))]
    return [max(shares, key=lambda share: share[2])] if shares else []


def plain_codes(code: str, words: list[str]) -> Iterator[tuple[int, int]]:
    for first in range(len(words)):
        for after in range(first + 1, len(words) + 1):
            if "".join(words[first:after]) == code:
                yield first, after - 1


@MANY
@given(LINES, LINES)
def test_most_of_a_long_text_is_found_where_its_share_is_largest(value: str, text: str) -> None:
    places = find_text(SoughtText.read(value), Passage.read(text))
    if all(place.certainty < 1 for place in places):
        found = [(place.start, place.end, place.certainty) for place in places]
        assert found == plain_most(value, text)


@MANY
@given(st.integers(0, 5), st.integers(1, 9), LINES, st.booleans())
def test_a_whole_text_is_found_at_all_its_places(
    at: int, length: int, text: str, has_more: bool
) -> None:
    words = text.split()
    wanted = words[at : at + length] + ["absent"] * has_more
    places = find_text(SoughtText.read(" ".join(wanted)), Passage.read(text))
    starts = [word.start for word in words_of(text)]
    expected = [
        first for first in range(len(words))
        if wanted and words[first : first + len(wanted)] == wanted
        and (wanted[0] in NEGATIONS or not NEGATIONS & {*words[max(0, first - 2) : first]})
    ]  # fmt: skip
    assert [starts.index(one.start) for one in places if one.certainty == 1] == expected


@MANY
@given(DIGITS, DIGITS)
def test_a_code_is_found_however_it_is_grouped(code: list[str], groups: list[str]) -> None:
    joined, words = "".join(code), words_of(" ".join(groups))
    sought = SoughtText.read(joined)
    places = find_text(sought, Passage.read(" ".join(groups)))
    expected = plain_codes(joined, [word.folded for word in words])
    if sought.code:
        assert [(one.start, one.end) for one in places] == [
            (words[first].start, words[last].end) for first, last in expected
        ]


@MANY
@given(TEXTS)
def test_breaks_are_those_that_a_scan_up_to_a_place_sees(text: str) -> None:
    all_breaks = Breaks(CLAUSE, text)
    for at in (at for at, mark in enumerate(text) if mark.isalnum()):
        before = max((match.end() for match in breaks(CLAUSE, text, 0, at)), default=0)
        after = next((match.start() for match in breaks(CLAUSE, text, at)), None)
        assert (all_breaks.last_end(at), all_breaks.next_start(at)) == (before, after)


@MANY
@given(SPANS, st.integers(0, 30), st.integers(0, 30))
def test_spans_are_those_between_two_places(
    lengths: list[tuple[int, int]], floor: int, start: int
) -> None:
    pairs = [(begin, begin + length) for begin, length in lengths]
    spans = Spans(pairs)
    ends = [end for begin, end in pairs if floor <= begin and end <= start]
    assert spans.last_end(floor, start) == max(ends, default=floor)
    assert spans.next_start(start) == min((b for b, _ in pairs if b >= start), default=None)
    is_any = any(begin < start and floor < end for begin, end in pairs)
    assert spans.is_any_between(floor, start) == is_any
