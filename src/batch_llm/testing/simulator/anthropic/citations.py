"""Answers that cite documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .documents import Document


def cited_blocks(text: str, documents: Sequence[Document]) -> list[dict[str, Any]]:
    """Return an answer in blocks of text, the last of which cites a document.

    What is cited is the answer's own end where a document holds it, and else the beginning of
    the first document.

    Args:
        text: of the answer; all blocks together hold it.
        documents: of the request; at least one of them can be cited.
    """
    start = _start_of_last_half(text)
    claim = text[start:]
    citable = [document for document in documents if document.is_citable]
    holding = (document for document in citable if any(claim in own for own in document.texts))
    document = next(holding, citable[0])
    cited = {"type": "text", "text": claim, "citations": [_citation(document, claim)]}
    return [{"type": "text", "text": text[:start]}, cited] if start else [cited]


def _start_of_last_half(text: str) -> int:
    """Return where the second half of the words begins; 0 for a single word."""
    space = text.rfind(" ", 0, len(text) // 2 + 1)
    return max(0, space)


def _citation(document: Document, claim: str) -> dict[str, Any]:
    named = {
        "document_index": document.index,
        "document_title": document.title,
        "file_id": document.file_id,
    }
    if document.kind == "pages":
        # Nobody reads PDFs here: the words are not known, and the first page stands for all.
        place = {"type": "page_location", "start_page_number": 1, "end_page_number": 2}
        return {**place, "cited_text": "", **named}
    if document.kind == "blocks":
        index = next((i for i, own in enumerate(document.texts) if claim in own), 0)
        return {
            "type": "content_block_location",
            "cited_text": document.texts[index] if document.texts else "",
            **named,
            "start_block_index": index,
            "end_block_index": index + 1,
        }
    start, end = _passage(document.texts[0], claim)
    return {
        "type": "char_location",
        "cited_text": document.texts[0][start:end],
        **named,
        "start_char_index": start,
        "end_char_index": end,
    }


def _passage(text: str, claim: str) -> tuple[int, int]:
    """Return the place of `claim` in a text, or of the text's first sentence."""
    found = text.find(claim)
    if found >= 0 and claim:
        return found, found + len(claim)
    end = text.find(". ")
    return 0, len(text) if end < 0 else end + 1
