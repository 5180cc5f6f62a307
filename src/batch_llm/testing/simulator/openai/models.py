"""GET /models and GET /models/{id}."""

from __future__ import annotations

import datetime
import re
from typing import TYPE_CHECKING, Any, Final

from ..exchange import json_response
from .catalogue import LISTED
from .model_rules import is_model
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..exchange import Request, Response
    from ..world import World

_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_USUAL_DATE: Final = "2025-01-01"


class Models:
    """Says which models there are.

    Args:
        world: whose settings may name further ones.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._names = dict.fromkeys((*LISTED, *world.settings.models))
        self._own = frozenset(world.settings.models)

    async def page(self, request: Request) -> Response:
        """Return all models; OpenAI does not cut this list into pages."""
        data = [self._shown(name) for name in self._names]
        return json_response({"object": "list", "data": data})

    async def retrieve(self, request: Request) -> Response:
        """Return one model, listed or not."""
        name = request.params["model"]
        if name not in self._names and not is_model(self._world, name):
            message = f"The model '{name}' does not exist"
            raise RefusedError(message, param="model", code="model_not_found", status=404)
        return json_response(self._shown(name))

    def _shown(self, name: str) -> dict[str, Any]:
        return {
            "id": name,
            "object": "model",
            "created": _created(name),
            "owned_by": "simulator" if name in self._own else "system",
            "shutdown_date": None,
        }


def _created(name: str) -> int:
    """Return the unix seconds of the date in a model's name, or of a date for all the others."""
    found = _DATE.search(name)
    try:
        day = datetime.date.fromisoformat(found[0] if found else _USUAL_DATE)
    except ValueError:  # digits that are no date
        day = datetime.date.fromisoformat(_USUAL_DATE)
    return int(datetime.datetime.combine(day, datetime.time(), datetime.UTC).timestamp())
