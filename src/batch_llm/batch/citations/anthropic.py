"""Citations in the content blocks of Anthropic's answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ...base.citation import Citation
from .cited_text import CitedText
from .json_values import int_or_none, mappings, text_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...base.citation import CitationKind

_LOCATIONS: dict[str, tuple[CitationKind, str, str]] = {
    "char_location": ("char", "start_char_index", "end_char_index"),
    "page_location": ("page", "start_page_number", "end_page_number"),
    "content_block_location": ("block", "start_block_index", "end_block_index"),
}


def read_anthropic(content: Sequence[Mapping[str, object]]) -> list[CitedText]:
    """Return the text blocks of a message's `content` with what each cites.

    Args:
        content: the blocks as JSON gives them. Blocks of other types, and citations of other
            locations than a document's characters, pages and blocks, are left out: they cite
            nothing that was sent.

    Returns:
        One part a text block, in order. The parts' texts, joined, are the answer's text, and
        `answer_start` and `answer_end` of their citations are places in it.
    """
    parts: list[CitedText] = []
    start = 0
    for block in content:
        if block.get("type") != "text":
            continue
        text = text_or_none(block.get("text")) or ""
        end = start + len(text)
        found = (_citation(entry) for entry in mappings(block.get("citations")))
        cited = (replace(one, answer_start=start, answer_end=end) for one in found if one)
        parts.append(CitedText(text, tuple(cited)))
        start = end
    return parts


def _citation(entry: Mapping[str, object]) -> Citation | None:
    location = _LOCATIONS.get(str(entry.get("type")))
    if location is None:
        return None
    kind, start, end = location
    return Citation(
        cited_text=text_or_none(entry.get("cited_text")) or "",
        document_index=int_or_none(entry.get("document_index")),
        document_title=text_or_none(entry.get("document_title")),
        kind=kind,
        start=int_or_none(entry.get(start)),
        end=int_or_none(entry.get(end)),
    )
