"""Answers that cite."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_llm.testing.simulator.anthropic.citations import cited_blocks
from batch_llm.testing.simulator.anthropic.documents import Document


def _text(text: str, *, index: int = 0, is_citable: bool = True) -> Document:
    return Document(index, "text", None, None, is_citable, [text])


@given(st.text(min_size=1), st.text(min_size=1))
def test_the_blocks_hold_the_answer_and_the_document_what_is_cited(
    answer: str, document: str
) -> None:
    blocks = cited_blocks(answer, [_text(document)])
    assert "".join(block["text"] for block in blocks) == answer
    assert all(block["text"] for block in blocks)
    citation = blocks[-1]["citations"][0]
    place = slice(citation["start_char_index"], citation["end_char_index"])
    assert document[place] == citation["cited_text"] != ""


def test_what_the_answer_says_is_cited_where_a_document_holds_it() -> None:
    documents = [_text("Grass is green."), _text("The sky is blue today.", index=1)]
    citation = cited_blocks("I think the sky is blue", documents)[-1]["citations"][0]
    assert citation["document_index"] == 1
    assert citation["cited_text"] == " sky is blue"


def test_a_document_without_citations_is_not_cited() -> None:
    documents = [_text("one", is_citable=False), _text("two", index=1)]
    assert cited_blocks("one", documents)[-1]["citations"][0]["document_index"] == 1


def test_the_block_that_holds_it_is_cited() -> None:
    document = Document(0, "blocks", "Facts", None, True, ["Grass is green.", "It is wet."])
    citation = cited_blocks("wet.", [document])[0]["citations"][0]
    assert (citation["start_block_index"], citation["end_block_index"]) == (1, 2)
    assert citation["cited_text"] == "It is wet."
