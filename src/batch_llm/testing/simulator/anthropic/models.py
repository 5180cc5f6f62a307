"""The models, and what each of them takes.

Names, deprecations and the form are those of the SDK's types. Sizes are those of Anthropic's
documentation, and for models of which it says nothing those of the nearest one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from ..exchange import json_response
from .invalid import InvalidRequestError, not_among
from .pages import PageRequest

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..world import World

Lifecycle = Literal["active", "deprecated", "retired"]
_LINES: Final = frozenset({"haiku", "sonnet", "opus", "fable", "mythos"})
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
_RELEASED: Final = {
    "claude-opus-4-6": "2026-02-04",
    "claude-sonnet-4-6": "2026-02-17",
    "claude-haiku-4-5-20251001": "2025-10-15",
    "claude-opus-4-5-20251101": "2025-11-24",
    "claude-sonnet-4-5-20250929": "2025-09-29",
}
_RETIRING: Final = {"claude-sonnet-4-5-20250929": "2026-11-30"}
_RETIRED: Final = {"claude-mythos-preview": "2026-06-30"}
_LISTED: Final = (
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
        return 1_000_000 if self._is_at_least(4, 6) and self.line != "haiku" else 200_000

    @property
    def output_tokens(self) -> int:
        """The most output tokens."""
        if self._is_at_least(4, 6):
            return 128_000
        if self._is_at_most(3, 5):
            return 8_192
        return 32_000 if self.line == "opus" and self._is_at_most(4, 1) else 64_000

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
        if self.id in _RETIRED:
            return "retired"
        return "deprecated" if self.id in _RETIRING else "active"

    def _is_at_least(self, major: int, minor: int) -> bool:
        return self.version is None or self.version >= (major, minor)

    def _is_at_most(self, major: int, minor: int) -> bool:
        return self.version is None or self.version <= (major, minor)


@lru_cache(maxsize=1_024)
def _model_of(name: str) -> Model:
    name = _SNAPSHOTS.get(name, name)
    match = _NAME.fullmatch(name) or _OLD_NAME.fullmatch(name)
    if match is None:
        return Model(name, next((line for line in _LINES if line in name), None))
    return Model(name, match["line"], (int(match["major"]), int(match["minor"] or 0)))


def model_named(name: str, further: tuple[str, ...]) -> Model | None:
    """Return the model of this name, or None where there is none.

    Args:
        name: as the client wrote it. Whatever begins with "claude-" is a model of Anthropic's.
        further: names of other models that are known here.
    """
    if name.startswith("claude-") and len(name) <= 256:
        return _model_of(name)
    return Model(name) if name in further else None


class Models:
    """Lists models."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def retrieve(self, request: Request) -> Response:
        """Answer GET /v1/models/{model_id}."""
        name = request.params["model_id"]
        model = model_named(name, self._world.settings.models)
        if model is None:
            raise unknown_model(name)
        return json_response(_info(model))

    async def list(self, request: Request) -> Response:
        """Answer GET /v1/models."""
        wanted = _lifecycles(request)
        names = (*_LISTED, *self._world.settings.models)
        models = [model_named(name, names) or Model(name) for name in names]
        infos = [(model.id, _info(model)) for model in models if model.lifecycle in wanted]
        return PageRequest.of(request.query).cut(infos)


def unknown_model(name: str) -> InvalidRequestError:
    """Return the error for a model that is not there."""
    return InvalidRequestError(f"model: {name}", 404)


def _lifecycles(request: Request) -> tuple[str, ...]:
    asked = request.query.get("lifecycle[]") or request.query.get("lifecycle")
    if asked is None:
        return ("active", "deprecated")
    if asked not in ("active", "deprecated", "retired"):
        raise not_among("lifecycle", "active", "deprecated", "retired")
    return (asked,)


def _info(model: Model) -> dict[str, Any]:
    """Return a model as the API shows it."""
    released = _RELEASED.get(model.id, "1970-01-01")  # the epoch stands for a date not known
    retires = _RETIRED.get(model.id) or _RETIRING.get(model.id)
    return {
        "type": "model",
        "id": model.id,
        "display_name": _display_name(model),
        "created_at": _midnight(released),
        "lifecycle": model.lifecycle,
        "deprecated_at": None if retires is None else _midnight(released),
        "retires_at": None if retires is None else _midnight(retires),
        "line": model.line if model.line in _LINES else None,
        "max_input_tokens": model.context_tokens,
        "max_tokens": model.output_tokens,
        "capabilities": _capabilities(model),
    }


def _display_name(model: Model) -> str:
    """Return such as "Claude Haiku 4.5"; of a name that tells no version, the name."""
    if model.line is None or model.version is None:
        return model.id
    major, minor = model.version
    return f"Claude {model.line.title()} {major}" + (f".{minor}" if minor else "")


def _midnight(day: str) -> str:
    return f"{day}T00:00:00Z"


def _capabilities(model: Model) -> dict[str, Any]:
    adaptive, budget = model.takes_adaptive_thinking, model.takes_thinking_budget
    return {
        "batch": _supported(True),
        "citations": _supported(True),
        "code_execution": _supported(False),
        "context_management": {
            **_supported(False),
            "clear_thinking_20251015": _supported(False),
            "clear_tool_uses_20250919": _supported(False),
            "compact_20260112": _supported(False),
        },
        "effort": {
            **_supported(adaptive),
            **{level: _supported(adaptive) for level in ("low", "medium", "high", "xhigh", "max")},
        },
        "image_input": _supported(True),
        "pdf_input": _supported(True),
        "server_tools": {
            **_supported(False),
            "code_execution": _supported(False),
            "web_search": _supported(False),
        },
        "structured_outputs": _supported(True),
        "thinking": {
            **_supported(adaptive or budget),
            "types": {
                "adaptive": _supported(adaptive),
                "between_tools": _supported(True),
                "disabled": _supported(True),
                "enabled": _supported(budget),
            },
        },
    }


def _supported(is_supported: bool) -> dict[str, Any]:
    return {"supported": is_supported}
