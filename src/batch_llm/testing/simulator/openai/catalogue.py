"""What is known of OpenAI's models: which there are, and what each can do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from ....pricing.model_limits import ModelLimits, limits_of

ReasoningKind = Literal["never", "opt_in", "by_default", "always"]
"""Whether a model reasons: only where an effort is named, unless it is "none", or in any case."""

EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")

# The first prefix that fits counts, so a longer one stands before the shorter.
_REASONING: Final[tuple[tuple[str, ReasoningKind], ...]] = (
    ("gpt-6-astra", "always"),
    ("gpt-6.2-astra", "always"),
    ("gpt-6.1-sol", "always"),
    ("gpt-6", "by_default"),
    ("gpt-5.6", "by_default"),
    ("gpt-5.5-pro", "always"),
    ("gpt-5.5", "by_default"),
    ("gpt-5.4-pro", "always"),
    ("gpt-5.4", "opt_in"),
    ("gpt-5.3-chat", "always"),
    ("gpt-5.3", "opt_in"),
    ("gpt-5.2-pro", "always"),
    ("gpt-5.2-chat", "always"),
    ("gpt-5.2", "opt_in"),
    ("gpt-5.1-codex", "always"),
    ("gpt-5.1-chat", "always"),
    ("gpt-5.1", "opt_in"),
    ("gpt-5-chat", "never"),
    ("gpt-5", "always"),
    ("o1", "always"),
    ("o3", "always"),
    ("o4", "always"),
)
# Of models whose limits nobody knows: what none of them exceeds.
_OTHER_LIMITS: Final = ModelLimits(1_050_000, 1_050_000)
_VECTORS: Final = {
    "text-embedding-ada-002": 1_536,
    "text-embedding-3-small": 1_536,
    "text-embedding-3-large": 3_072,
}
_OTHER_VECTOR: Final = 1_536
_SNAPSHOTS: Final = {
    "gpt-5.5": "gpt-5.5-2026-04-23",
    "gpt-5.4-mini": "gpt-5.4-mini-2026-03-17",
    "gpt-5.4-nano": "gpt-5.4-nano-2026-03-17",
    "gpt-5.2": "gpt-5.2-2025-12-11",
    "gpt-5.2-pro": "gpt-5.2-pro-2025-12-11",
    "gpt-5.1": "gpt-5.1-2025-11-13",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-5-nano": "gpt-5-nano-2025-08-07",
    "gpt-4.1": "gpt-4.1-2025-04-14",
    "gpt-4.1-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-4.1-nano": "gpt-4.1-nano-2025-04-14",
    "gpt-4o": "gpt-4o-2024-08-06",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "gpt-4-turbo": "gpt-4-turbo-2024-04-09",
    "gpt-4": "gpt-4-0613",
    "gpt-3.5-turbo": "gpt-3.5-turbo-0125",
    "o1": "o1-2024-12-17",
    "o3": "o3-2025-04-16",
    "o3-mini": "o3-mini-2025-01-31",
    "o4-mini": "o4-mini-2025-04-16",
}
LISTED: Final = (
    *_SNAPSHOTS,
    *_SNAPSHOTS.values(),
    "gpt-6-astra",
    "gpt-6-sol",
    "gpt-6-luna",
    "gpt-5.6-sol",
    "gpt-5.6-terra",
    "gpt-5.6-luna",
    "gpt-5.4",
    "gpt-5-chat-latest",
    *_VECTORS,
)
"""The models that the list of models names; others of OpenAI's style are known all the same."""
_OPENAI_STYLE: Final = re.compile(
    r"(?:ft:)?(?:gpt-\d|gpt-oss|gpt-audio|o\d|chatgpt-|codex-|computer-use-|text-embedding-)\S*"
)


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What one model can do.

    Attributes:
        snapshot: the name that answers carry: an alias names a dated model.
        reasoning: whether it reasons.
        context_tokens: the most of input and output together.
        output_tokens: the most of output.
        dimensions: of its vectors; None for a model that makes none.
    """

    snapshot: str
    reasoning: ReasoningKind
    context_tokens: int
    output_tokens: int
    dimensions: int | None

    def reasons(self, effort: str | None) -> bool:
        """Return whether it reasons at this effort; None is the model's own."""
        if self.reasoning == "by_default":
            return effort != "none"
        if self.reasoning == "opt_in":
            return effort not in (None, "none")
        return self.reasoning == "always"

    def usual_effort(self) -> str | None:
        """Return the effort where none is named; None for a model that never reasons."""
        if self.reasoning == "never":
            return None
        return "none" if self.reasoning == "opt_in" else "medium"


def is_openai_model(name: str) -> bool:
    """Return whether a name looks like one of OpenAI's models, fine-tuned ones included."""
    return _OPENAI_STYLE.fullmatch(name) is not None


@lru_cache(maxsize=1_024)
def facts_of(name: str) -> ModelFacts:
    """Return what is known of a model; a fine-tuned one is like its base."""
    base = name.split(":")[1] if name.startswith("ft:") else name
    limits = limits_of("openai", base) or _OTHER_LIMITS
    return ModelFacts(
        snapshot=_SNAPSHOTS.get(name, name),
        reasoning=_reasoning_of(base),
        context_tokens=limits.context_tokens,
        output_tokens=limits.output_tokens,
        dimensions=_VECTORS.get(base, _OTHER_VECTOR) if "embedding" in base else None,
    )


def _reasoning_of(base: str) -> ReasoningKind:
    for prefix, kind in _REASONING:
        if base.startswith(prefix):
            return kind
    return "never"
