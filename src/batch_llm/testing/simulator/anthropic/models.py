"""GET /v1/models and GET /v1/models/{model_id}; the form is that of the SDK's types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..exchange import json_response
from .catalogue import LINES, LISTED, RETIRED, RETIRING, Model, model_named, unknown_model
from .pages import PageRequest
from .refusal import not_among

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..world import World

_RELEASED: Final = {
    "claude-opus-4-6": "2026-02-04",
    "claude-sonnet-4-6": "2026-02-17",
    "claude-haiku-4-5-20251001": "2025-10-15",
    "claude-opus-4-5-20251101": "2025-11-24",
    "claude-sonnet-4-5-20250929": "2025-09-29",
}


class Models:
    """Lists models."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def retrieve(self, request: Request) -> Response:
        """Answer GET /v1/models/{model_id}."""
        name = request.params["model_id"]
        settings = self._world.settings
        model = model_named(name, settings.models, only_listed=settings.strict_models)
        if model is None:
            raise unknown_model(name)
        return json_response(_info(model))

    async def page(self, request: Request) -> Response:
        """Answer GET /v1/models."""
        wanted = _lifecycles(request)
        names = (*LISTED, *self._world.settings.models)
        models = [model_named(name, names) or Model(name) for name in names]
        infos = [(model.id, _info(model)) for model in models if model.lifecycle in wanted]
        return PageRequest.of(request.query).cut(infos)


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
    retires = RETIRED.get(model.id) or RETIRING.get(model.id)
    return {
        "type": "model",
        "id": model.id,
        "display_name": _display_name(model),
        "created_at": _midnight(released),
        "lifecycle": model.lifecycle,
        "deprecated_at": None if retires is None else _midnight(released),
        "retires_at": None if retires is None else _midnight(retires),
        "line": model.line if model.line in LINES else None,
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
