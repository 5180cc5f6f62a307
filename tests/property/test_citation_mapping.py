"""Whatever is cited, a mapping is of whole tokens, never of a bool, and the same in any order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from batch_llm.base.citation import Citation
from batch_llm.batch.citations import map_citations

MANY = settings(max_examples=300, deadline=None, derandomize=True)

WORDS = ["total", "Total:", "due", "12", "1", "1.5", "1,234.50", "True", "yes", "Ann", "Lee",
         "Ann-Lee",
         "03/04/24", "2024", "kg", "USD", "\n", "|", "-", "5%", "(30)", "café", "category",
         "cat"]  # fmt: skip
NAMES = st.sampled_from(["total", "due_date", "weight_kg", "name", "paid", "year", "items"])
VALUES = st.one_of(
    st.booleans(), st.none(), st.integers(-50, 2100), st.sampled_from([1.5, 1234.5, 0.05]),
    st.sampled_from(["Ann", "Ann Lee", "cat", "yes", "True", "2024-04-03", "12", "café", "",
                     "$12"]),
)  # fmt: skip
ANSWERS = st.recursive(
    VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=8,
).filter(lambda answer: isinstance(answer, dict | list))
TEXTS = st.lists(
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join) | st.text(max_size=30), max_size=5
)


def cite(texts: list[str]) -> list[Citation]:
    return [Citation(text, 0, None, "char", 1000 * at, None) for at, text in enumerate(texts)]


def value_at(answer: object, path: str) -> object:
    for part in path.split("."):
        answer = answer[int(part)] if isinstance(answer, list) else answer[part]  # type: ignore[index]
    return answer


@MANY
@given(ANSWERS, TEXTS)
def test_a_mapping_is_of_real_values_in_whole_tokens(answer: dict | list, texts: list[str]) -> None:
    for path, cited in map_citations(answer, cite(texts)).items():
        value = value_at(answer, path)
        assert value is not None
        assert not isinstance(value, bool)
        assert cited
        for one in cited:
            text = one.citation.cited_text
            assert 0 <= one.start < one.end <= len(text)
            assert 0.5 <= one.confidence <= 1
            around = text[one.start - 1 : one.start + 1] if one.start else ""
            assert not (around.isalnum() and len(around) == 2 and around.isascii()), text
            around = text[one.end - 1 : one.end + 1]
            follows = text[one.end :].split(" ")[0]
            assert not around.isalnum() or len(around) < 2 or follows.isalpha(), text


@MANY
@given(ANSWERS, TEXTS, st.randoms(use_true_random=False))
def test_the_order_of_the_citations_changes_nothing(answer, texts, random) -> None:
    citations = cite(texts)
    shuffled = random.sample(citations, len(citations))
    assert map_citations(answer, citations) == map_citations(answer, shuffled)


@MANY
@given(st.integers(0, 9), st.text("0123456789", min_size=1, max_size=3), st.booleans())
def test_a_digit_is_never_found_in_a_longer_number(digit: int, more: str, is_before: bool) -> None:
    number = f"{more}{digit}" if is_before else f"{digit}{more}"
    text = f"The total is {number} and {number}.{digit} or {digit}.{number}"
    assert map_citations({"total": digit}, cite([text])) == {} or int(number) == digit


@MANY
@given(st.text("abcdefgh", min_size=4, max_size=8), st.text("abcdefgh", min_size=1, max_size=4))
def test_a_word_is_never_found_in_a_longer_word(word: str, more: str) -> None:
    text = f"Name: {word}{more}, {more}{word}, {word}-{more}"
    if word not in (f"{more}{word}", more):
        assert map_citations({"name": word}, cite([text])) == {}
