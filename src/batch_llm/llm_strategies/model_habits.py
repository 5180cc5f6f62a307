"""What is known of models by their names, where it decides whether a call may be spared."""

from __future__ import annotations

import re
from typing import Final

# OpenAI's reasoning models take no temperature but 1. The ones that can be told not to reason are
# among them: whoever spares a call must be sure.
_REASONING: Final = re.compile(r"(?:ft:)?(?:o\d|gpt-(?:[5-9]|\d\d))(?!-chat)")
# Claude from Opus 4.7 on; a longer number is a date.
_CLAUDE: Final = re.compile(r"claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")

LEAST_CACHED_BYTES: Final = 4_096
"""A system prompt of as many bytes has about 1,024 tokens: no provider caches a shorter one."""


def takes_temperature(model: str) -> bool:
    """Return whether a model lets its temperature be set, by its name; an unknown one does."""
    name = model.rpartition("/")[2].rpartition(":")[2].lower()
    if _REASONING.match(name):
        return False
    claude = _CLAUDE.search(name)
    return claude is None or (int(claude[1]), int(claude[2] or 0)) <= (4, 6)


def is_cached_unasked(system: object) -> bool:
    """Return whether a system prompt is long enough for providers that cache of themselves."""
    return isinstance(system, str) and len(system.encode("utf-8", "replace")) >= LEAST_CACHED_BYTES
