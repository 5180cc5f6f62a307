"""Grounding and citations in the candidates of Gemini's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...base.citation import Citation
from .cited_text import CitedText
from .json_values import int_or_none, ints, mapping, mappings, text_or_none

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_gemini(candidate: Mapping[str, object]) -> list[CitedText]:
    """Return the segments of a candidate's answer that rest on sources, each with these.

    A source that Google quotes (`retrievedContext`) is quoted in `cited_text`. Of one that is only
    an address, as web pages are, `cited_text` is "": the segment of the answer is the model's own
    words, and no evidence for them. `answer_start` and `answer_end` tell where it is.

    Args:
        candidate: as JSON gives it, with `groundingMetadata` or `citationMetadata`.

    Returns:
        One part a segment: `groundingSupports` first, then the sources that the answer quotes at
        length. Google counts a segment in bytes of a part's UTF-8; `start` and `end` here are
        characters of the answer's text, its parts joined.
    """
    texts = _texts(candidate)
    return [*_grounded(candidate, texts), *_quoted(candidate, texts)]


def _texts(candidate: Mapping[str, object]) -> list[str]:
    parts = mappings(mapping(candidate.get("content")).get("parts"))
    return ["" if part.get("thought") else text_or_none(part.get("text")) or "" for part in parts]


def _grounded(candidate: Mapping[str, object], texts: list[str]) -> list[CitedText]:
    metadata = mapping(candidate.get("groundingMetadata"))
    chunks = mappings(metadata.get("groundingChunks"))
    parts: list[CitedText] = []
    for support in mappings(metadata.get("groundingSupports")):
        segment = mapping(support.get("segment"))
        span = _span(segment, texts, start="startIndex", end="endIndex")
        text = text_or_none(segment.get("text")) or _between(texts, span)
        sources = ints(support.get("groundingChunkIndices"))
        cited = tuple(
            _of_chunk(chunks[index], span) for index in sources if 0 <= index < len(chunks)
        )
        parts.append(CitedText(text, cited))
    return parts


def _of_chunk(chunk: Mapping[str, object], span: tuple[int | None, int | None]) -> Citation:
    context = mapping(chunk.get("retrievedContext"))
    source = context or mapping(chunk.get("web")) or mapping(chunk.get("maps"))
    return Citation(
        cited_text=text_or_none(context.get("text")) or "",
        document_index=None,
        document_title=text_or_none(source.get("title")),
        kind="grounding",
        start=span[0],
        end=span[1],
        url=text_or_none(source.get("uri")),
        answer_start=span[0],
        answer_end=span[1],
    )


def _quoted(candidate: Mapping[str, object], texts: list[str]) -> list[CitedText]:
    metadata = mapping(candidate.get("citationMetadata"))
    entries = metadata.get("citations") or metadata.get("citationSources")
    parts: list[CitedText] = []
    for entry in mappings(entries):
        span = _span(entry, ["".join(texts)], start="startIndex", end="endIndex")
        text = _between(texts, span)
        citation = Citation(
            cited_text="",
            document_index=None,
            document_title=text_or_none(entry.get("title")),
            kind="grounding",
            start=span[0],
            end=span[1],
            url=text_or_none(entry.get("uri")),
            answer_start=span[0],
            answer_end=span[1],
        )
        parts.append(CitedText(text, (citation,)))
    return parts


def _span(
    segment: Mapping[str, object], texts: list[str], *, start: str, end: str
) -> tuple[int | None, int | None]:
    """Return a segment's place in the answer; Google leaves out a start and a part of 0."""
    part = int_or_none(segment.get("partIndex")) or 0
    last = int_or_none(segment.get(end))
    if last is None or not 0 <= part < len(texts):
        return None, None
    before = sum(map(len, texts[:part]))
    data = texts[part].encode()
    first = int_or_none(segment.get(start)) or 0
    return before + _characters(data, first), before + _characters(data, last)


def _characters(data: bytes, count: int) -> int:
    return len(data[:count].decode(errors="ignore"))


def _between(texts: list[str], span: tuple[int | None, int | None]) -> str:
    return "" if span[1] is None else "".join(texts)[span[0] : span[1]]
