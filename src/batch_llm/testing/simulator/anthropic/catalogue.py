"""What is known of Anthropic's models: which there are, and what each can do.

Names and deprecations are those of the SDK's types. Sizes are those of Anthropic's documentation,
and for models of which it says nothing those of the nearest one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

from ....pricing.model_limits import ModelLimits, limits_of
from .refusal import RefusedError

Lifecycle = Literal["active", "deprecated", "retired"]
LINES: Final = frozenset({"haiku", "sonnet", "opus", "fable", "mythos"})
"""Families of models, by their names."""
_NAME: Final = re.compile(
    r"claude-(?P<line>[a-z]+)-(?P<major>\d{1,2})(?:-(?P<minor>\d{1,2}))?(?:-\d{8}|-latest)?"
)
_OLD_NAME: Final = re.compile(
    r"claude-(?P<major>\d)(?:-(?P<minor>\d))?-(?P<line>[a-z]+)(?:-\d{8}|-latest)?"
)
_SNAPSHOTS: Final = {
    "claude-haiku-4-5": "claude-haiku-4-5-20251001",
    "claude-opus-4-5": "claude-opus-4-5-20251101",
    "claude-sonnet-4-5": "claude-sonnet-4-5-20250929",
}
# Of models whose limits nobody knows.
_OTHER_LIMITS: Final = ModelLimits(1_000_000, 128_000)
LISTED: Final = (
    "claude-fable-5-2",
    "claude-mythos-5-2",
    "claude-haiku-5-5",
    "claude-sonnet-5-5",
    "claude-fable-5-1",
    "claude-opus-5-5",
    "claude-mythos-5-1",
    "claude-sonnet-5",
    "claude-fable-5",
    "claude-mythos-5",
    "claude-opus-5",
    "claude-opus-4-8",
    "claude-opus-4-7",
    "claude-mythos-preview",
    "claude-opus-4-6",
    "claude-sonnet-4-6",
    "claude-haiku-4-5-20251001",
    "claude-opus-4-5-20251101",
    "claude-sonnet-4-5-20250929",
)
"""The models that the list of models names."""
RETIRING: Final = {"claude-sonnet-4-5-20250929": "2026-11-30"}
"""When deprecated models go, by name."""
RETIRED: Final = {"claude-mythos-preview": "2026-06-30"}
"""When models went that are there no longer."""


@dataclass(frozen=True, slots=True)
class Model:
    """One model, and the rules that differ from model to model.

    A model whose name tells no version takes everything.

    Attributes:
        id: its full name; that of a short name such as "claude-haiku-4-5" has a date.
        line: "haiku", "sonnet", …; None where the name tells none.
        version: such as (4, 5); None where the name tells none.
    """

    id: str
    line: str | None = None
    version: tuple[int, int] | None = None

    @property
    def takes_sampling(self) -> bool:
        """Whether temperature, top_p and top_k may be other than by default."""
        return self._is_at_most(4, 6)

    @property
    def takes_prefill(self) -> bool:
        """Whether the last turn may be the assistant's."""
        return self._is_at_most(4, 5)

    @property
    def takes_thinking_budget(self) -> bool:
        """Whether thinking may be "enabled", with a budget."""
        return self._is_at_most(4, 6)

    @property
    def takes_adaptive_thinking(self) -> bool:
        """Whether thinking may be "adaptive"."""
        return self._is_at_least(4, 6)

    @property
    def takes_both_samplings(self) -> bool:
        """Whether temperature and top_p may stand together."""
        return self.version is None or not self._is_at_least(4, 1)

    @property
    def context_tokens(self) -> int:
        """The most input tokens."""
        return self._limits.context_tokens

    @property
    def output_tokens(self) -> int:
        """The most output tokens."""
        return self._limits.output_tokens

    @property
    def _limits(self) -> ModelLimits:
        return limits_of("anthropic", self.id) or _OTHER_LIMITS

    @property
    def least_cached_tokens(self) -> int:
        """The shortest prefix that is cached."""
        if self.version is None:
            return 1_024
        if self._is_at_least(5, 0):
            return 1_024 if self.line in ("sonnet", "haiku") else 512
        if self.version in ((4, 5), (4, 6)) and self.line == "opus":
            return 4_096
        if self.line == "haiku":
            return 4_096 if self._is_at_least(4, 5) else 2_048
        return 2_048 if self.version == (4, 7) else 1_024

    @property
    def lifecycle(self) -> Lifecycle:
        """Whether it is still there."""
        if self.id in RETIRED:
            return "retired"
        return "deprecated" if self.id in RETIRING else "active"

    def _is_at_least(self, major: int, minor: int) -> bool:
        return self.version is None or self.version >= (major, minor)

    def _is_at_most(self, major: int, minor: int) -> bool:
        return self.version is None or self.version <= (major, minor)


@lru_cache(maxsize=1_024)
def _model_of(name: str) -> Model:
    name = _SNAPSHOTS.get(name, name)
    match = _NAME.fullmatch(name) or _OLD_NAME.fullmatch(name)
    if match is None:
        return Model(name, next((line for line in LINES if line in name), None))
    return Model(name, match["line"], (int(match["major"]), int(match["minor"] or 0)))


def model_named(name: str, further: tuple[str, ...], *, only_listed: bool = False) -> Model | None:
    """Return the model of this name, or None where there is none.

    Args:
        name: as the client wrote it. Whatever begins with "claude-" is a model of
            Anthropic's, unless only those of the list are.
        further: names of other models that are known here.
        only_listed: whether only the models are known that the list names, or their short names.
    """
    is_known = name in LISTED or name in _SNAPSHOTS or name in further or not only_listed
    if name.startswith("claude-") and len(name) <= 256 and is_known:
        return _model_of(name)
    return Model(name) if name in further else None


def unknown_model(name: str) -> RefusedError:
    """Return the error for a model that is not there."""
    return RefusedError(f"model: {name}", 404)
