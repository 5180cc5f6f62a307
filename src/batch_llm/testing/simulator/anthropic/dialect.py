"""How Anthropic says no, and what it tells of limits."""

from __future__ import annotations

import datetime
import math
from typing import TYPE_CHECKING, Any, Final

from ..exchange import json_response, stream_response
from .stream import PING, failed

if TYPE_CHECKING:
    from ..exchange import Response
    from ..limits import Admission, Measure
    from ..serving import Outcome
    from ..world import World
    from .refusal import RefusedError

_USUAL: Final = {
    400: ("invalid_request_error", "The request is not valid."),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: (
        "permission_error",
        "Your API key does not have permission to use the specified resource.",
    ),
    404: ("not_found_error", "Not Found"),
    405: ("invalid_request_error", "Method Not Allowed"),
    409: ("conflict_error", "The resource has changed in the meantime."),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: ("rate_limit_error", "Number of requests has exceeded your rate limit."),
    500: ("api_error", "Internal server error"),
    502: ("api_error", "Bad gateway"),
    503: ("api_error", "Service unavailable"),
    504: ("timeout_error", "The request timed out while it was processed."),
    529: ("overloaded_error", "Overloaded"),
}
_UNITS: Final[dict[Measure, str]] = {
    "requests": "requests per minute",
    "tokens": "tokens per minute",
    "input_tokens": "input tokens per minute",
    "output_tokens": "output tokens per minute",
}
_HEADERS: Final[tuple[tuple[Measure, str], ...]] = (
    ("requests", "anthropic-ratelimit-requests"),
    ("tokens", "anthropic-ratelimit-tokens"),
    ("input_tokens", "anthropic-ratelimit-input-tokens"),
    ("output_tokens", "anthropic-ratelimit-output-tokens"),
)


class AnthropicDialect:
    """Anthropic's errors and headers.

    Args:
        world: for the names of requests, and the time.

    Attributes:
        organization_id: whose the API keys are.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        digest = world.chance.digest("anthropic organization", b"").hex()
        self.organization_id = "-".join(
            (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32])
        )

    def new_request_id(self) -> str:
        """Return a name for a request."""
        return self._world.ids.letters("req_01", 22)

    def error_body(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        error_code: str | None = None,
    ) -> dict[str, Any]:
        """Return the body of an error, with a new name for its request.

        Args:
            status: of HTTP.
            message: None takes the usual one for the status.
            error_type: None takes the usual one for the status.
            error_code: what names the cause, in the details; None has no details.
        """
        usual_type, usual_message = _USUAL.get(status, _USUAL[500 if status >= 500 else 400])
        error: dict[str, Any] = {
            "type": error_type or usual_type,
            "message": usual_message if message is None else message,
        }
        if error_code is not None:
            error["details"] = {"error_code": error_code}
        return {"type": "error", "error": error, "request_id": self.new_request_id()}

    def error(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
        error_code: str | None = None,
    ) -> Response:
        """Return an error; without a message it is the usual one for the status.

        The name of the request stands in the body and in a header.
        """
        body = self.error_body(status, message, error_type=error_type, error_code=error_code)
        headers = {"request-id": body["request_id"]}
        if retry_after_seconds is not None:
            headers["retry-after"] = f"{retry_after_seconds:g}"
        return json_response(body, status=status, headers=headers)

    def refused(self, refused: RefusedError) -> Response:
        """Return the error for a request that cannot be served."""
        return self.error(refused.status, refused.message, error_type=refused.error_type)

    def limited(self, outcome: Outcome) -> Response:
        """Return the 429 that says which limit was exceeded, and when to come again."""
        admission = outcome.admission
        wait = max(1, math.ceil(admission.retry_after_seconds))  # the API counts whole seconds
        measure = admission.exceeded or "requests"
        if measure == "slope":
            return self.error(
                429,
                "This request would exceed the limit on how fast your usage may grow. Increase "
                "your usage gradually.",
                retry_after_seconds=wait,
                error_code="ramp_limit_exceeded",
            )
        quota = admission.quotas.get(measure)
        amount = "" if quota is None else f"{quota.limit:,} "
        message = (
            f"This request would exceed your organization's rate limit of {amount}"
            f"{_UNITS[measure]} (org: {self.organization_id}, model: {outcome.call.model}). For "
            f"details, refer to: https://docs.claude.com/en/api/rate-limits. You can see the "
            f"response headers for current usage. Please reduce the prompt length or the maximum "
            f"tokens requested, or try again later."
        )
        # What never fits is given no time to come again.
        return self.error(429, message, retry_after_seconds=None if admission.too_large else wait)

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        """Return the headers that tell what is left."""
        if not admission.quotas:
            return {}
        headers = {}
        now = self._world.clock.now()
        for measure, name in _HEADERS:
            if (quota := admission.quotas.get(measure)) is not None:
                headers[f"{name}-limit"] = str(quota.limit)
                headers[f"{name}-remaining"] = str(quota.remaining)
                headers[f"{name}-reset"] = _whole_second(now + quota.reset_seconds)
        return headers

    def error_in_200(self, outcome: Outcome) -> Response:
        """Return a 200 whose body reports an error: in a stream, an event behind a ping."""
        error = self.error(529)
        if not outcome.call.streamed:
            error.status = 200
            return error
        return stream_response([PING, failed(error.body)], error.headers)


def _whole_second(moment: float) -> str:
    utc = datetime.datetime.fromtimestamp(math.ceil(moment), datetime.UTC)
    return utc.isoformat().replace("+00:00", "Z")
