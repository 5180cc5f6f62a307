"""The simulator's own endpoints, under /_sim."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .exchange import json_response

if TYPE_CHECKING:
    from .exchange import Request, Response
    from .front import Front


class Control:
    """Answers what is asked about the world, and changes it.

    Args:
        front: the world.
    """

    def __init__(self, front: Front) -> None:
        self._front = front

    async def answer(self, request: Request) -> Response:
        """Return the response to a request below /_sim."""
        return json_response({"error": {"message": f"Nothing is at {request.path}."}}, status=404)
