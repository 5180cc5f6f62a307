from __future__ import annotations

from batch_llm.base.citation import Citation
from batch_llm.batch.citations import map_citations, read_gemini

ANSWER = "Größe: 330 m. Besucher: 6 Mio."


def candidate(**metadata: object) -> dict[str, object]:
    return {"content": {"parts": [{"text": "plan", "thought": True}, {"text": ANSWER}]}, **metadata}


def test_bytes_of_a_segment_become_characters_of_the_answer() -> None:
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a.example", "title": "A"}},
            {"retrievedContext": {"uri": "gs://b", "title": "B", "text": "It is 330 m tall."}},
        ],
        "groundingSupports": [
            {
                "segment": {"partIndex": 1, "endIndex": 15, "text": "Größe: 330 m."},
                "groundingChunkIndices": [0, 1, 9],
            }
        ],
    }
    [part] = read_gemini(candidate(groundingMetadata=grounding))
    assert part.text == ANSWER[:13] == "Größe: 330 m."
    assert part.citations == (
        Citation("", None, "A", "grounding", 0, 13, "https://a.example", 0, 13),
        Citation("It is 330 m tall.", None, "B", "grounding", 0, 13, "gs://b", 0, 13),
    )


def test_a_quoted_source_is_read() -> None:
    sources = [{"startIndex": 16, "endIndex": 32, "uri": "https://c.example", "license": "mit"}]
    [part] = read_gemini(candidate(citationMetadata={"citationSources": sources}))
    [citation] = part.citations
    assert (part.text, citation.url) == (ANSWER[14:30], "https://c.example")
    assert citation.cited_text == ""


def test_an_answer_without_sources_has_none() -> None:
    assert read_gemini({}) == []
    assert read_gemini(candidate(groundingMetadata={"webSearchQueries": ["x"]})) == []


def test_a_segment_without_a_place_keeps_its_text() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example"}}],
        "groundingSupports": [{"segment": {"text": "Größe"}, "groundingChunkIndices": [0]}],
    }
    [part] = read_gemini(candidate(groundingMetadata=grounding))
    assert part.text == "Größe"
    assert part.citations[0].start is None


def test_an_answer_is_no_evidence_for_itself() -> None:
    text = '{"winner": "Atlantis", "goals": 7}'
    grounding = {
        "groundingChunks": [
            {"web": {"uri": "https://a.example"}},
            {"retrievedContext": {"text": "Atlantis won."}},
        ],
        "groundingSupports": [
            {"segment": {"endIndex": len(text), "text": text}, "groundingChunkIndices": [0, 1]}
        ],
    }
    answer = {"content": {"parts": [{"text": text}]}, "groundingMetadata": grounding}
    mapped = map_citations({"winner": "Atlantis", "goals": 7}, (), blocks=read_gemini(answer))
    assert [one.citation.cited_text for one in mapped["winner"]] == ["Atlantis won."]
    assert list(mapped) == ["winner"]
