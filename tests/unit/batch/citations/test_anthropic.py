from __future__ import annotations

from batch_llm.base.citation import Citation
from batch_llm.batch.citations import all_citations, read_anthropic

CONTENT: list[dict[str, object]] = [
    {"type": "thinking", "thinking": "hm"},
    {"type": "text", "text": "The total is "},
    {
        "type": "text",
        "text": "$12",
        "citations": [
            {"type": "char_location", "cited_text": "Total: $12", "document_index": 0,
             "document_title": "Invoice", "start_char_index": 5, "end_char_index": 15,
             "file_id": None},
            {"type": "page_location", "cited_text": "Sum $12", "document_index": 1,
             "document_title": None, "start_page_number": 2, "end_page_number": 3},
            {"type": "content_block_location", "cited_text": "12", "document_index": 2,
             "document_title": None, "start_block_index": 0, "end_block_index": 1},
            {"type": "web_search_result_location", "cited_text": "x", "url": "https://a.example"},
        ],
    },
    {"type": "text", "text": ".", "citations": None},
]  # fmt: skip


def test_every_location_of_a_document_is_read() -> None:
    parts = read_anthropic(CONTENT)
    assert [part.text for part in parts] == ["The total is ", "$12", "."]
    assert parts[1].citations == (
        Citation("Total: $12", 0, "Invoice", "char", 5, 15, None, 13, 16),
        Citation("Sum $12", 1, None, "page", 2, 3, None, 13, 16),
        Citation("12", 2, None, "block", 0, 1, None, 13, 16),
    )
    assert all_citations(parts) == list(parts[1].citations)


def test_what_is_not_as_documented_cites_nothing_or_less() -> None:
    content: list[dict[str, object]] = [
        {"type": "text", "text": None, "citations": [7, {"type": "char_location"}]},
        {"type": "text", "text": "a", "citations": "none"},
    ]
    [first, second] = read_anthropic(content)
    assert first.citations == (Citation("", None, None, "char", None, None, None, 0, 0),)
    assert second.citations == ()
