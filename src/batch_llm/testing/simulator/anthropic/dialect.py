"""How Anthropic says no, and what it tells of limits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..exchange import json_response

if TYPE_CHECKING:
    from ..exchange import Response
    from ..limits import Admission
    from ..serving import Outcome


class AnthropicDialect:
    """Anthropic's errors and headers."""

    def error(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
    ) -> Response:
        """Return an error; without a message it is the usual one for the status."""
        return json_response({"error": {"message": message}}, status=status)

    def limited(self, outcome: Outcome) -> Response:
        """Return the 429 that says which limit was exceeded, and when to come again."""
        return self.error(429)

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        """Return the headers that tell what is left."""
        return {}

    def error_in_200(self, outcome: Outcome) -> Response:
        """Return a 200 whose body reports an error."""
        return self.error(200)
