"""The labelled set of citations: answers, and which passage states each of their fields."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from batch_llm.base.citation import Citation
from batch_llm.batch.citations import CitedText, map_citations

FOLDER = Path(__file__).parent / "data" / "citations"


@dataclass
class Figures:
    """What a mapping of many cases came to, by the pairs of field and citation."""

    right: int = 0
    wrong: list[str] = field(default_factory=list)
    found: int = 0
    missed: list[str] = field(default_factory=list)

    @property
    def precision(self) -> float:
        """Of the pairs reported, how many are right."""
        return self.right / max(1, self.right + len(self.wrong))

    @property
    def recall(self) -> float:
        """Of the fields that a passage states, how many were given it."""
        return self.found / max(1, self.found + len(self.missed))

    def __str__(self) -> str:
        fields = self.found + len(self.missed)
        return (
            f"precision {self.precision:.3f} ({self.right} of {self.right + len(self.wrong)}), "
            f"recall {self.recall:.3f} ({self.found} of {fields})"
        )


def cases(half: str) -> list[dict[str, Any]]:
    return [
        case
        for path in sorted((FOLDER / half).glob("*.json"))
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
    ]


def citations_of(case: dict[str, Any]) -> list[Citation]:
    return [
        Citation(text, 0, None, "char", 1000 * at, 1000 * at + len(text))
        for at, text in enumerate(case["citations"])
    ]


def blocks_of(case: dict[str, Any], citations: list[Citation]) -> list[CitedText]:
    return [
        CitedText(block["text"], tuple(citations[at] for at in block["citations"]))
        for block in case.get("blocks", ())
    ]


def measure(half: str) -> Figures:
    figures = Figures()
    for case in cases(half):
        citations = citations_of(case)
        mapped = map_citations(case["answer"], citations, blocks=blocks_of(case, citations))
        assert mapped.keys() <= case["expected"].keys()
        for path, label in case["expected"].items():
            given = [citations.index(one.citation) for one in mapped.get(path, [])]
            _count(figures, f"{case['id']} {path}: {given}, not {label}", given, label)
    return figures


def _count(figures: Figures, note: str, given: list[int], label: int | None) -> None:
    figures.right += sum(one == label for one in given)
    figures.wrong += [note for one in given if one != label]
    if label is not None and label in given:
        figures.found += 1
    elif label is not None:
        figures.missed.append(note)
