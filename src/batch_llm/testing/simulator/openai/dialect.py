"""How OpenAI says no, and what it tells of limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import json_response

if TYPE_CHECKING:
    from ..exchange import Response
    from ..limits import Admission
    from ..serving import Outcome

_USUAL: Final = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("invalid_request_error", "Incorrect API key provided."),
    403: ("permission_error", "You are not allowed to do this."),
    404: ("invalid_request_error", "The resource does not exist."),
    429: ("requests", "Rate limit reached."),
    500: ("server_error", "The server had an error while processing your request."),
    502: ("server_error", "Bad gateway."),
    503: ("server_error", "The engine is currently overloaded, please try again later."),
}


class OpenAIDialect:
    """OpenAI's errors and headers."""

    def error(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
        code: str | None = None,
        param: str | None = None,
    ) -> Response:
        """Return an error; without a message it is the usual one for the status."""
        usual_type, usual_message = _USUAL.get(status, _USUAL[500 if status >= 500 else 400])
        error = {
            "message": message or usual_message,
            "type": error_type or usual_type,
            "param": param,
            "code": code,
        }
        headers = {}
        if retry_after_seconds is not None:
            headers["retry-after"] = f"{retry_after_seconds:g}"
        return json_response({"error": error}, status=status, headers=headers)

    def limited(self, outcome: Outcome) -> Response:
        """Return the 429 that says which limit was exceeded, and when to come again."""
        return self.error(
            429,
            code="rate_limit_exceeded",
            retry_after_seconds=outcome.admission.retry_after_seconds,
        )

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        """Return the headers that tell what is left."""
        return {}

    def error_in_200(self, outcome: Outcome) -> Response:
        """Return a 200 whose body reports an error."""
        failed = self.error(500)
        failed.status = 200
        return failed
