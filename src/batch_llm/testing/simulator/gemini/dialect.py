"""How Gemini says no: `google.rpc.Status` in JSON, and no header about limits.

The words are those that the service has answered with, as they stand in its documentation (error
codes, rate limits) and in the reports of its users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..exchange import event, json_response, stream_response

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..exchange import Response
    from ..limits import Admission, Measure
    from ..serving import Outcome
    from .refusal import RefusedError

_USUAL: Final[dict[int, tuple[str, str]]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: (
        "UNAUTHENTICATED",
        (
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login "
            "cookie or other valid authentication credential. See "
            "https://developers.google.com/identity/sign-in/web/devconsole-project."
        ),
    ),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Requested entity was not found."),
    409: ("ALREADY_EXISTS", "Requested entity already exists"),
    429: ("RESOURCE_EXHAUSTED", "Resource has been exhausted (e.g. check quota)."),
    499: ("CANCELLED", "The operation was cancelled."),
    500: (
        "INTERNAL",
        (
            "An internal error has occurred. Please retry or report in "
            "https://developers.generativeai.google/guide/troubleshooting"
        ),
    ),
    501: ("UNIMPLEMENTED", "Operation is not implemented, or supported, or enabled."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
}
_OVER_QUOTA: Final = (
    "You exceeded your current quota, please check your plan and billing details. For more "
    "information on this error, head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
_HELP: Final = {
    "@type": "type.googleapis.com/google.rpc.Help",
    "links": [
        {
            "description": "Learn more about Gemini API quotas",
            "url": "https://ai.google.dev/gemini-api/docs/rate-limits",
        }
    ],
}
_REQUESTS: Final = (
    "generate_content_paid_tier_requests",
    "GenerateRequestsPerMinutePerProjectPerModel-PaidTier",
)
_INPUT_TOKENS: Final = (
    "generate_content_paid_tier_input_token_count",
    "GenerateContentInputTokensPerModelPerMinute-PaidTier",
)


class GeminiDialect:
    """Gemini's errors."""

    def error(
        self,
        status: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        retry_after_seconds: float | None = None,
        details: Sequence[dict[str, Any]] = (),
    ) -> Response:
        """Return an error; without a message it is the usual one for the status.

        Args:
            status: of HTTP, which the body repeats.
            message: a sentence.
            error_type: Google's word, such as "FAILED_PRECONDITION"; None is the usual one.
            retry_after_seconds: told in the details: Gemini sends no header for it.
            details: objects with an "@type", such as `error_info` gives.
        """
        error = self.status(status, message, error_type=error_type, details=details)
        if retry_after_seconds is not None:
            error.setdefault("details", []).append(_retry_info(retry_after_seconds))
        return json_response({"error": error}, status=status)

    def status(
        self,
        code: int,
        message: str | None = None,
        *,
        error_type: str | None = None,
        details: Sequence[dict[str, Any]] = (),
    ) -> dict[str, Any]:
        """Return what stands under "error", in a body or in a line of a batch."""
        usual_type, usual_message = _USUAL.get(code, _USUAL[500 if code >= 500 else 400])
        error: dict[str, Any] = {
            "code": code,
            "message": message or usual_message,
            "status": error_type or usual_type,
        }
        if details:
            error["details"] = list(details)
        return error

    def refused(self, refused: RefusedError) -> Response:
        """Return the error for a request that cannot be served."""
        details = []
        if refused.field is not None:
            details.append(_field_violation(refused.field, refused.message))
        return self.error(
            refused.status, refused.message, error_type=refused.error_type, details=details
        )

    def limited(self, outcome: Outcome) -> Response:
        """Return the 429 that says which limit was exceeded, and when to come again.

        Of a call that can never start no time is told.
        """
        admission = outcome.admission
        return self.error(
            429,
            _OVER_QUOTA,
            retry_after_seconds=None if admission.too_large else admission.retry_after_seconds,
            details=[_quota_failure(admission, outcome.call.model), _HELP],
        )

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        """Return none: Gemini does not tell what is left."""
        return {}

    def error_in_200(self, outcome: Outcome) -> Response:
        """Return a 200 whose body, or whose only piece, reports an error."""
        body = {"error": self.status(503)}
        if not outcome.call.streamed:
            return json_response(body)
        return stream_response([event(body)])


def error_info(reason: str, **metadata: str) -> dict[str, Any]:
    """Return the detail that gives a reason in one word."""
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"service": "generativelanguage.googleapis.com", **metadata},
    }


def localized_message(message: str) -> dict[str, Any]:
    """Return the detail that repeats the message, with its language."""
    return {
        "@type": "type.googleapis.com/google.rpc.LocalizedMessage",
        "locale": "en-US",
        "message": message,
    }


def _field_violation(field: str, description: str) -> dict[str, Any]:
    """Return the detail that names what is wrong; a field of "" is the whole body."""
    named = {"field": field} if field else {}
    return {
        "@type": "type.googleapis.com/google.rpc.BadRequest",
        "fieldViolations": [{**named, "description": description}],
    }


def _retry_info(seconds: float) -> dict[str, Any]:
    delay = f"{seconds:.9f}".rstrip("0").rstrip(".")
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{delay}s"}


def _quota_failure(admission: Admission, model: str) -> dict[str, Any]:
    exceeded: Measure = admission.exceeded or "requests"
    metric, quota_id = _REQUESTS if exceeded in ("requests", "slope") else _INPUT_TOKENS
    violation: dict[str, Any] = {
        "quotaMetric": f"generativelanguage.googleapis.com/{metric}",
        "quotaId": quota_id,
        "quotaDimensions": {"location": "global", "model": model},
    }
    if (quota := admission.quotas.get(exceeded)) is not None:
        violation["quotaValue"] = str(quota.limit)
    return {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
