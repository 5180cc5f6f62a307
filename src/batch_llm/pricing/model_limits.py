"""How much models read and write at most, as their providers say.

The models are known by how their names begin. Of a longer beginning and a shorter one that both
fit, the longer one stands first. A limit that is too high makes a reservation dearer than it need
be; one that is too low breaks a cap: in doubt the higher one stands here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """How much a model reads and writes at most.

    Attributes:
        context_tokens: of its input; at OpenAI of input and output together.
        output_tokens: of one answer, reasoning included.
    """

    context_tokens: int
    output_tokens: int


_Table = tuple[tuple[str, int, int], ...]

# platform.openai.com/docs/models
_OPENAI: Final[_Table] = (
    ("gpt-3.5", 16_385, 4_096),
    ("gpt-4.1", 1_047_576, 32_768),
    ("gpt-4o", 128_000, 16_384),
    ("chatgpt-4o", 128_000, 16_384),
    ("gpt-4-32k", 32_768, 32_768),
    ("gpt-4-turbo", 128_000, 4_096),
    ("gpt-4-0125", 128_000, 4_096),
    ("gpt-4-1106", 128_000, 4_096),
    ("gpt-4-vision", 128_000, 4_096),
    ("gpt-4.5", 128_000, 16_384),
    ("gpt-4", 8_192, 8_192),
    ("o1-mini", 128_000, 65_536),
    ("o1", 200_000, 100_000),
    ("o3", 200_000, 100_000),
    ("o4", 200_000, 100_000),
    ("gpt-5-chat", 128_000, 16_384),
    ("gpt-5-pro", 400_000, 272_000),
    ("gpt-5.4", 1_050_000, 128_000),
    ("gpt-5.5", 1_050_000, 128_000),
    ("gpt-5.6", 1_050_000, 128_000),
    ("gpt-5", 400_000, 128_000),
)
# docs.claude.com/en/docs/about-claude/models
_ANTHROPIC: Final[_Table] = (
    ("claude-3-7-", 200_000, 64_000),
    ("claude-3-", 200_000, 8_192),
    ("claude-2", 200_000, 8_192),
    ("claude-sonnet-4-0", 200_000, 64_000),
    ("claude-sonnet-4-2025", 200_000, 64_000),
    ("claude-sonnet-4-5", 200_000, 64_000),
    ("claude-sonnet-", 1_000_000, 128_000),
    ("claude-opus-4-0", 200_000, 32_000),
    ("claude-opus-4-1", 200_000, 32_000),
    ("claude-opus-4-2025", 200_000, 32_000),
    ("claude-opus-4-5", 200_000, 64_000),
    ("claude-opus-", 1_000_000, 128_000),
    ("claude-haiku-4-5", 200_000, 64_000),
    ("claude-haiku-", 1_000_000, 128_000),
    ("claude-fable-", 1_000_000, 128_000),
    ("claude-mythos-", 1_000_000, 128_000),
)
# ai.google.dev/gemini-api/docs/models
_GEMINI: Final[_Table] = (
    ("gemini-1.", 2_097_152, 8_192),
    ("gemini-2.0-flash-thinking", 1_048_576, 65_536),
    ("gemini-2.0", 1_048_576, 8_192),
    ("gemini-2.5", 1_048_576, 65_536),
    ("gemini-3", 1_048_576, 65_536),
)
_TABLES: Final = {"openai": _OPENAI, "anthropic": _ANTHROPIC, "gemini": _GEMINI}


@lru_cache(maxsize=1_024)
def limits_of(provider: str, model: str) -> ModelLimits | None:
    """Return the limits of a model, or None where they are not known.

    Args:
        provider: "openai", "anthropic" or "gemini"; of others nothing is known.
        model: as the provider names it. A fine-tuned model of OpenAI's ("ft:…") is like its base.
    """
    name = model.rpartition("/")[2] if provider == "gemini" else model
    if name.startswith("ft:"):
        name = name.split(":")[1]
    for prefix, context_tokens, output_tokens in _TABLES.get(provider, ()):
        if name.startswith(prefix):
            return ModelLimits(context_tokens, output_tokens)
    return None
