from __future__ import annotations

import pytest

from batch_llm.batch.citations.passage import Passage
from batch_llm.batch.citations.text_search import SoughtText, find_text


def found(value: str, text: str) -> list[str]:
    return [
        text[one.start : one.end] for one in find_text(SoughtText.read(value), Passage.read(text))
    ]


@pytest.mark.parametrize(
    ("value", "text", "place"),
    [
        ("jürgen gross", "Patient: Jürgen  Groß.", "Jürgen  Groß"),
        ("fixed-price", "a fixed price contract", "fixed price"),
        ("C++", "C, C++ and C#", "C++"),
        (
            "DE89370400440532013000",
            "IBAN DE89 3704 0044 0532 0130 00",
            "DE89 3704 0044 0532 0130 00",
        ),
        ("Contoso", "Contoso's office", "Contoso"),
        ("INV-7", "No. INV-7", "INV-7"),
        ("café", "CAFE\u0301 open", "CAFE\u0301"),
    ],
)
def test_whole_words_are_found_whatever_their_form(value: str, text: str, place: str) -> None:
    assert found(value, text) == [place]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("cat", "category"),
        ("Java", "JavaScript"),
        ("water", "water-resistant"),
        ("Go", "I go to the gym"),
        ("Ann Lee", "Ann Lee-Smith"),
        ("Acme Corp", "the Acme Corp Holding"),
        ("penicillin", "no penicillin"),
        ("XL", "AB-1042-XL"),
    ],
)
def test_a_part_of_something_else_is_not_found(value: str, text: str) -> None:
    assert found(value, text) == []


def test_a_long_text_may_be_there_in_most_of_its_words() -> None:
    text = "Management expects moderate growth in the second half, driven by demand."
    value = "Moderate growth expected in the second half, driven by demand"
    [place] = find_text(SoughtText.read(value), Passage.read(text))
    assert 0.7 < place.certainty < 1


@pytest.mark.parametrize(
    "value",
    [
        "Strong growth expected in the first quarter by exports",
        "growth not expected in the second half",
    ],
)
def test_a_long_text_that_says_something_else_is_not(value: str) -> None:
    text = "Management expects moderate growth in the second half, driven by demand."
    assert found(value, text) == []
