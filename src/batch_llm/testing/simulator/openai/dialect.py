"""How OpenAI says no, and what it tells of limits."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

from ..exchange import event, json_response, stream_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..exchange import Response
    from ..limits import Admission, Measure
    from ..serving import Outcome
    from .refusal import RefusedError

ORGANIZATION: Final = "org-simulated"
_HELP: Final = "contact us through our help center at help.openai.com if the error persists."
_LEARN_MORE: Final = "Visit https://platform.openai.com/account/rate-limits to learn more."


class _Words(NamedTuple):
    """What an error says: its type, its code, and a sentence."""

    type: str
    code: str | int | None
    message: str


_REFUSED: Final = "invalid_request_error"
"""The type of all that a client did wrong, but for too many requests."""
_USUAL: Final = {
    400: _Words(_REFUSED, None, "The request is not valid."),
    401: _Words(_REFUSED, "invalid_api_key", "Incorrect API key provided."),
    403: _Words(
        "request_forbidden",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: _Words(_REFUSED, None, "The requested resource was not found."),
    405: _Words(_REFUSED, "method_not_supported", "This method is not allowed."),
    408: _Words("server_error", None, "The request timed out. Please try again."),
    409: _Words(
        _REFUSED,
        None,
        "The resource was changed by another request at the same time. Please try again.",
    ),
    413: _Words(_REFUSED, None, "Maximum content size limit (26214400) exceeded."),
    415: _Words(_REFUSED, "unsupported_content_type", "Unsupported content type."),
    422: _Words(_REFUSED, None, "The request could not be processed."),
    429: _Words("requests", "rate_limit_exceeded", "Rate limit reached for requests"),
    500: _Words(
        "server_error",
        None,
        "The server had an error while processing your request. Sorry about that! You can retry "
        f"your request, or {_HELP}",
    ),
    502: _Words("cf_bad_gateway", 502, "Bad gateway."),
    503: _Words(
        "server_error",
        None,
        "That model is currently overloaded with other requests. You can retry your request, or "
        f"{_HELP}",
    ),
    504: _Words("cf_gateway_timeout", 504, "Gateway time-out."),
}
_NAMED: Final = {
    "insufficient_quota": _Words(
        "insufficient_quota",
        "insufficient_quota",
        "You exceeded your current quota, please check your plan and billing details. For more "
        "information on this error, read the docs: "
        "https://platform.openai.com/docs/guides/error-codes/api-errors.",
    ),
    "billing_hard_limit_reached": _Words(
        _REFUSED, "billing_hard_limit_reached", "Billing hard limit has been reached"
    ),
    "context_length_exceeded": _Words(
        _REFUSED,
        "context_length_exceeded",
        "Your input exceeds the context window of this model. Please adjust your input and try "
        "again.",
    ),
    "model_not_found": _Words(
        _REFUSED,
        "model_not_found",
        "The model does not exist or you do not have access to it.",
    ),
    "invalid_api_key": _Words(_REFUSED, "invalid_api_key", "Incorrect API key provided."),
    "content_policy_violation": _Words(
        _REFUSED,
        "content_policy_violation",
        "Your request was rejected as a result of our safety system.",
    ),
    "invalid_prompt": _Words(
        _REFUSED,
        "invalid_prompt",
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
    ),
    "rate_limit_exceeded": _Words(
        "requests", "rate_limit_exceeded", "Rate limit reached for requests"
    ),
    "tokens": _Words("tokens", "rate_limit_exceeded", "Rate limit reached for tokens"),
}
_LIMITS: Final[dict[Measure, tuple[str, str]]] = {
    "requests": ("requests per min (RPM)", "requests"),
    "tokens": ("tokens per min (TPM)", "tokens"),
    "input_tokens": ("input tokens per min", "tokens"),
    "output_tokens": ("output tokens per min", "tokens"),
}
_OF_HEADERS: Final[tuple[Measure, ...]] = ("requests", "tokens")


class OpenAIDialect:
    """OpenAI's errors and headers.

    Args:
        encode_failed: makes a response of status 200 that reports an error, for endpoints whose
            answers have a place for it; None sends the usual body of errors.
    """

    def __init__(self, encode_failed: Callable[[Outcome], Response] | None = None) -> None:
        self._encode_failed = encode_failed

    def failing_with(self, encode_failed: Callable[[Outcome], Response] | None) -> OpenAIDialect:
        """Return the dialect of an endpoint that reports its failures in a way of its own."""
        return self if encode_failed is None else OpenAIDialect(encode_failed)

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
        """Return an error.

        Args:
            status: of HTTP.
            message: for the client; None is the usual one for the status.
            error_type: one of OpenAI's words, for a type or a code, such as "insufficient_quota"
                or "context_length_exceeded"; what belongs to it is filled in.
            retry_after_seconds: told in headers.
            code: OpenAI's own word for it.
            param: what is wrong.
        """
        words = _words(status, error_type)
        if message is not None:
            kind = words.type if error_type is not None or status >= 500 else _REFUSED
            words = _Words(kind, None, message)
        error = {
            "message": words.message,
            "type": words.type,
            "param": param,
            "code": code or words.code,
        }
        return json_response(
            {"error": error}, status=status, headers=_retry_headers(retry_after_seconds)
        )

    def refused(self, refused: RefusedError) -> Response:
        """Return the error for a request that cannot be served."""
        return self.error(refused.status, refused.message, param=refused.param, code=refused.code)

    def wrong_key(self, key: str) -> Response:
        """Return the error for a key that is missing ("") or wrong."""
        where = "https://platform.openai.com/account/api-keys"
        if key:
            message = f"Incorrect API key provided: {masked(key)}. You can find your API key at"
            return self.error(401, f"{message} {where}.", code="invalid_api_key")
        message = (
            "You didn't provide an API key. You need to provide your API key in an Authorization "
            "header using Bearer auth (i.e. Authorization: Bearer YOUR_KEY), or as the password "
            "field (with blank username) if you're accessing the API from your browser and are "
            f"prompted for a username and password. You can obtain an API key from {where}."
        )
        return self.error(401, message)

    def wrong_content_type(self, content_type: str) -> Response:
        """Return the error for a body that is not called JSON."""
        message = (
            f"Unsupported content type: '{content_type}'. This API method only accepts "
            "'application/json' requests, but you specified the header 'Content-Type: "
            f"{content_type}'. Please try again with a supported content type."
        )
        return self.error(415, message, code="unsupported_content_type")

    def limited(self, outcome: Outcome) -> Response:
        """Return the 429 that says which limit was exceeded, and when to come again."""
        admission, call = outcome.admission, outcome.call
        exceeded = admission.exceeded or "requests"
        seconds = admission.retry_after_seconds
        again = f"Please try again in {duration(seconds)}."
        if exceeded == "slope":
            message = f"Slow down: your request rate to {call.model} rises too fast. {again}"
            return self._limit_error(message, "requests", "slow_down", seconds)
        words, kind = _LIMITS[exceeded]
        where = f"for {call.model} in organization {ORGANIZATION} on {words}"
        quota = admission.quotas.get(exceeded)
        limit = 0 if quota is None else quota.limit
        requested = max(1, admission.requested)
        if admission.too_large:
            message = (
                f"Request too large {where}: Limit {limit}, Requested {requested}. The input or "
                f"output tokens must be reduced in order to run successfully. {_LEARN_MORE}"
            )
            return self._limit_error(message, kind, "rate_limit_exceeded", None)
        used = 0 if quota is None else max(0, limit - quota.remaining)
        message = (
            f"Rate limit reached {where}: Limit {limit}, Used {used}, Requested {requested}. "
            f"{again} {_LEARN_MORE}"
        )
        return self._limit_error(message, kind, "rate_limit_exceeded", seconds)

    def _limit_error(self, message: str, kind: str, code: str, seconds: float | None) -> Response:
        return self.error(429, message, error_type=kind, code=code, retry_after_seconds=seconds)

    def rate_headers(self, admission: Admission) -> dict[str, str]:
        """Return the headers that tell what is left."""
        headers: dict[str, str] = {}
        for measure in _OF_HEADERS:
            if (quota := admission.quotas.get(measure)) is not None:
                headers[f"x-ratelimit-limit-{measure}"] = str(quota.limit)
                headers[f"x-ratelimit-remaining-{measure}"] = str(max(0, quota.remaining))
                headers[f"x-ratelimit-reset-{measure}"] = duration(quota.reset_seconds)
        return headers

    def error_in_200(self, outcome: Outcome) -> Response:
        """Return a 200 whose body, or whose one event, reports an error."""
        if self._encode_failed is not None:
            return self._encode_failed(outcome)
        failed = self.error(500)
        if outcome.call.streamed:
            return stream_response([event(failed.body)])
        failed.status = 200
        return failed


def _words(status: int, error_type: str | None) -> _Words:
    usual = _USUAL.get(status) or _USUAL[503 if status > 504 else 500 if status >= 500 else 400]
    if error_type is None:
        return usual
    return _NAMED.get(error_type) or _Words(error_type, usual.code, usual.message)


def _retry_headers(seconds: float | None) -> dict[str, str]:
    if seconds is None:
        return {}
    return {
        "retry-after": str(math.ceil(seconds)),
        "retry-after-ms": str(math.ceil(seconds * 1_000)),
    }


def duration(seconds: float) -> str:
    """Return seconds as OpenAI writes them: "0s", "20ms", "1.5s", "6m0s", "1h0m3.25s"."""
    millis = max(0, math.ceil(seconds * 1_000 - 1e-6))
    if 0 < millis < 1_000:
        return f"{millis}ms"
    minutes, rest = divmod(millis, 60_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{rest / 1_000:.3f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def masked(key: str) -> str:
    """Return a key as OpenAI shows it: eight characters at the start and four at the end."""
    end = min(4, max(0, len(key) - 9))
    return key[:8] + "*" * (len(key) - 8 - end) + key[len(key) - end :]
