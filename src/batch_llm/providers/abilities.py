"""What models can do in the Batch APIs, by their names.

Of a model that stands here all is known that `ModelConfig` says. One that is newer, or of a server
of the user's own, is believed to do what its provider's models do: nothing is refused to it that it
may be able to do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from ..base import ModelConfig
from ..llm_strategies.model_habits import takes_temperature
from ..pricing import ModelLimits, limits_of

if TYPE_CHECKING:
    from collections.abc import Iterable

Sampling: TypeAlias = Literal["taken", "refused", "unsure"]
"""Whether a model lets its temperature be set; "unsure" where that hangs on how it is asked."""

ROOM_TO_THINK_TOKENS: Final = 8_192
"""`max_tokens` of a model that thinks unasked, where nobody sets it: thoughts count towards it."""

_IMAGES: Final = (".png", ".jpg", ".jpeg", ".gif", ".webp")
_READ: Final = {
    "openai": (".pdf", *_IMAGES),
    "anthropic": (".pdf", *_IMAGES),
    # ai.google.dev/gemini-api/docs/image-understanding names no GIF.
    "gemini": (".pdf", ".png", ".jpg", ".jpeg", ".webp"),
}
# Gemini names sources for what a search found alone, and no job asks it to search.
_CITING: Final = frozenset({"anthropic"})
# Of a model whose limits nobody knows: the widest of its provider's.
_WIDEST: Final = {
    "openai": ModelLimits(1_050_000, 272_000),
    "anthropic": ModelLimits(1_000_000, 128_000),
    "gemini": ModelLimits(2_097_152, 65_536),
}
_VECTOR_LIMITS: Final = {"openai": ModelLimits(8_192, 1), "gemini": ModelLimits(2_048, 1)}

# platform.openai.com/docs/models; those that see also read PDFs.
_OPENAI_BLIND: Final = ("gpt-3.5-turbo", "gpt-4", "gpt-4-32k", "o1-mini", "o1-preview", "o3-mini")
_OPENAI_SEEING: Final = (
    *("gpt-4-turbo", "gpt-4o", "gpt-4o-mini", "chatgpt-4o", "gpt-4.1", "gpt-4.1-mini"),
    *("gpt-4.1-nano", "o1", "o1-pro", "o3", "o3-pro", "o4-mini", "gpt-5-chat", "gpt-5"),
    *("gpt-5-mini", "gpt-5-nano", "gpt-5-pro", "gpt-5.1", "gpt-5.2", "gpt-5.2-pro", "gpt-5.4"),
    *("gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.4-pro", "gpt-5.5", "gpt-5.5-pro", "gpt-5.6-sol"),
    *("gpt-5.6-terra", "gpt-5.6-luna"),
)
_OPENAI_WITHOUT_SCHEMA: Final = frozenset(
    {"gpt-3.5-turbo", "gpt-4", "gpt-4-32k", "gpt-4-turbo", "chatgpt-4o", "o1-mini", "o1-preview"}
)
_OPENAI_VECTORS: Final = (
    "text-embedding-ada-002",
    "text-embedding-3-small",
    "text-embedding-3-large",
)
# docs.claude.com/en/docs/about-claude/models
_ANTHROPIC: Final = (
    *("claude-3-haiku", "claude-3-5-haiku", "claude-3-5-sonnet", "claude-3-7-sonnet"),
    *("claude-opus-4-0", "claude-opus-4-20250514", "claude-sonnet-4-0"),
    *("claude-sonnet-4-20250514", "claude-opus-4-1", "claude-sonnet-4-5", "claude-haiku-4-5"),
    *("claude-opus-4-5", "claude-opus-4-6", "claude-sonnet-4-6"),
)
_ANTHROPIC_CITELESS: Final = frozenset({"claude-3-haiku"})
# ai.google.dev/gemini-api/docs/models
_GEMINI: Final = (
    *("gemini-2.0-flash", "gemini-2.0-flash-lite", "gemini-2.5-flash", "gemini-2.5-flash-lite"),
    *("gemini-2.5-pro", "gemini-3-flash-preview", "gemini-3-pro-preview"),
    "gemini-3.1-pro-preview",
)
_GEMINI_VECTORS: Final = ("gemini-embedding-001",)

_NAMES: Final = {
    "openai": (*_OPENAI_BLIND, *_OPENAI_SEEING, *_OPENAI_VECTORS),
    "anthropic": _ANTHROPIC,
    "gemini": (*_GEMINI, *_GEMINI_VECTORS),
}
_SNAPSHOT: Final = re.compile(r"-(?:\d{4}-\d\d-\d\d|\d{8}|\d{3,4}|latest)$")
_OPENAI_FIXED: Final = re.compile(r"o\d|gpt-5(?![.\d])(?!-chat)|gpt-5\.[56]")
_THINKING_GEMINI: Final = re.compile(r"gemini-(?:2\.5|[3-9]|\d\d)")
_CLAUDE_VERSION: Final = re.compile(r"claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?(?!\d)")


@dataclass(frozen=True, slots=True)
class Abilities:
    """What one model can do.

    Attributes:
        provider: whose Batch API it is asked by: "openai", "anthropic" or "gemini".
        model: its name there.
        config: what it reads and writes; of a model that is not known, what its provider's models
            do at the most.
        is_known: whether the model itself is known, and not its provider alone.
        sampling: whether `temperature` may be set.
        takes_stop: whether `stop` may be set.
        takes_both_samplings: whether `temperature` and `top_p` may be set together.
        thinks_unasked: whether it may think before it answers, without being told to.
        wants_object: whether a schema that its answers keep to is of an object, and of no array.
        makes_vectors: whether it embeds texts, and does not answer; None where nobody knows.
        is_asked_by_responses: whether it is asked at "/v1/responses", which takes less than
            "/v1/chat/completions".
    """

    provider: str
    model: str
    config: ModelConfig
    is_known: bool
    sampling: Sampling
    takes_stop: bool
    takes_both_samplings: bool
    thinks_unasked: bool
    wants_object: bool
    makes_vectors: bool | None
    is_asked_by_responses: bool = False


@lru_cache(maxsize=1_024)
def abilities_of(provider: str, model: str, *, is_own_server: bool = False) -> Abilities:
    """Return what a model can do.

    Args:
        provider: whose Batch API it is asked by.
        model: as the provider names it; dated snapshots and fine-tuned models too.
        is_own_server: whether a server of the user's own answers, which speaks the provider's API:
            a model there may be called like one of the provider's and be another.
    """
    base = _base(model)
    name = None if is_own_server else _known_name(provider, base)
    sampling = _sampling(provider, base)
    if is_own_server and sampling == "refused":
        sampling = "unsure"
    return Abilities(
        provider=provider,
        model=model,
        config=_config(provider, name or base, is_known=name is not None),
        is_known=name is not None,
        sampling=sampling,
        takes_stop=is_own_server or _takes_stop(provider, base),
        takes_both_samplings=is_own_server or _takes_both(provider, base),
        thinks_unasked=_thinks_unasked(provider, base),
        wants_object=provider == "openai" and not is_own_server,
        makes_vectors=_makes_vectors(provider, base, is_known=name is not None),
    )


def known_models(provider: str) -> dict[str, ModelConfig]:
    """Return what is known of the models of a provider, by their names; newer ones work too.

    Args:
        provider: "openai", "anthropic" or "gemini"; of others no model is known.
    """
    return {name: _config(provider, name, is_known=True) for name in _NAMES.get(provider, ())}


# --- one model -----------------------------------------------------------------------------


def _base(model: str) -> str:
    name = model.rpartition("/")[2]
    return name.split(":")[1] if name.startswith("ft:") and name.count(":") > 1 else name


def _known_name(provider: str, base: str) -> str | None:
    names = _NAMES.get(provider, ())
    return next((name for name in (base, _SNAPSHOT.sub("", base)) if name in names), None)


def _config(provider: str, name: str, *, is_known: bool) -> ModelConfig:
    is_vectors = "embedding" in name
    limits = _limits(provider, name, is_known=is_known)
    reads = not is_vectors and not (is_known and name in _OPENAI_BLIND)
    return ModelConfig(
        name=name,
        max_input_tokens=limits.context_tokens,
        max_output_tokens=limits.output_tokens,
        supports_images=reads,
        supports_files=reads,
        supports_citations=not is_vectors
        and provider in _CITING
        and name not in _ANTHROPIC_CITELESS,
        supports_structured_output=not is_vectors
        and not (is_known and name in _OPENAI_WITHOUT_SCHEMA),
        file_types=list(_READ.get(provider, _READ["openai"])) if reads else [],
    )


def _limits(provider: str, name: str, *, is_known: bool) -> ModelLimits:
    if "embedding" in name and provider in _VECTOR_LIMITS:
        return _VECTOR_LIMITS[provider]
    # The table of limits goes by beginnings: of a newer model it says what an older one can.
    found = limits_of(provider, name) if is_known else None
    return found or _WIDEST.get(provider, _WIDEST["openai"])


def _sampling(provider: str, base: str) -> Sampling:
    if takes_temperature(base):
        return "taken"
    if provider == "openai" and not _OPENAI_FIXED.match(base):
        # Those that reason only when they are told to take one while they do not.
        return "unsure"
    return "refused"


def _takes_stop(provider: str, base: str) -> bool:
    is_fixed = provider == "openai" and _sampling(provider, base) == "refused"
    return not is_fixed or base.startswith("o1")


def _takes_both(provider: str, base: str) -> bool:
    version = _CLAUDE_VERSION.match(base) if provider == "anthropic" else None
    return version is None or (int(version[1]), int(version[2] or 0)) < (4, 1)


def _thinks_unasked(provider: str, base: str) -> bool:
    if provider == "openai":
        return not takes_temperature(base)
    return provider == "gemini" and _THINKING_GEMINI.match(base) is not None


def _makes_vectors(provider: str, base: str, *, is_known: bool) -> bool | None:
    if "embedding" in base:
        return True
    return False if is_known or provider == "anthropic" else None


def names_of(suffixes: Iterable[str]) -> str:
    """Return file types for people: "PDF, PNG"."""
    return ", ".join(dict.fromkeys(suffix.removeprefix(".").upper() for suffix in suffixes))
