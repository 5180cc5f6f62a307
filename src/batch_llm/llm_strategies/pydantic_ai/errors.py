"""pydantic-ai's errors in this package's terms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...exceptions import (
    AuthenticationError,
    ConnectionFailedError,
    InvalidRequestError,
    MalformedAnswerError,
    OutputTruncatedError,
    ProviderError,
    ProviderTimeoutError,
    RateLimitedError,
    RefusalError,
    ServerError,
)
from ...strategies.unsent import was_never_sent
from ...wire.http_errors import error_details, short_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pydantic_ai.exceptions import ModelAPIError, UnexpectedModelBehavior

# Providers have many words for an account without credit; the classifier knows this one.
_SPENT = "insufficient_quota"
NOT_ITS_FORMAT = "The answer is not in the provider's format."
_STUMBLES = (AttributeError, IndexError, KeyError, TypeError)


def translated(error: Exception, *, private: Iterable[str] = ()) -> ProviderError | None:
    """Return the error of this package that says the same, or None where there is none.

    Args:
        error: raised by a model's request, not by the code that prepares it.
        private: prompts and keys, of which the message must hold no part.
    """
    from pydantic_ai import exceptions as theirs

    if isinstance(error, theirs.FallbackExceptionGroup):
        return translated(error.exceptions[-1], private=private)
    if isinstance(error, theirs.ModelAPIError):
        return _from_api(error, private)
    if isinstance(error, theirs.UnexpectedModelBehavior):
        return _from_answer(error)
    if isinstance(error, (theirs.UserError, NotImplementedError)):
        said = short_message(str(error), private)
        return InvalidRequestError(f"The model cannot take this request: {said}")
    if is_stumble(error):
        return MalformedAnswerError(NOT_ITS_FORMAT)
    return None


def is_stumble(error: BaseException) -> bool:
    """Return whether the library raises such errors where an answer lacks what it reads from it."""
    return isinstance(error, _STUMBLES)


def _from_api(error: ModelAPIError, private: Iterable[str]) -> ProviderError:
    kind = _kind_of(error)
    if kind is MalformedAnswerError:
        # The library's message quotes the answer.
        return kind(f"The answer of {error.model_name} is not in the provider's format.")
    headers: Mapping[str, str] = getattr(error, "headers", None) or {}
    message = _describe(error, private)
    code = error.provider_error_code or error.provider_error_type
    if kind is ProviderError:  # of an account without credit, and of nothing else
        message, code = f"The account's quota or credit is used up. {message}", _SPENT
    ours = kind(
        message,
        status_code=_status_of(error),
        code=code,
        retry_after=error.retry_after,
        request_id=request_id_in(headers),
    )
    if isinstance(ours, ConnectionFailedError):
        ours.was_sent = not was_never_sent(error)
    return ours


def request_id_in(headers: Mapping[str, str]) -> str | None:
    """Return the provider's id of a request, from the headers of its answer."""
    return headers.get("x-request-id") or headers.get("request-id")


def _status_of(error: ModelAPIError) -> int | None:
    status: int | None = getattr(error, "status_code", None)
    return status


def _kind_of(error: ModelAPIError) -> type[ProviderError]:
    from pydantic_ai import exceptions as theirs

    kinds: tuple[tuple[type[ModelAPIError], type[ProviderError]], ...] = (
        (theirs.ModelQuotaExceededError, ProviderError),
        (theirs.ModelRateLimitError, RateLimitedError),
        (theirs.ModelRequestTimeout, ProviderTimeoutError),
        (theirs.ModelTimeoutError, ProviderTimeoutError),
        (theirs.ModelConnectionError, ConnectionFailedError),
        (theirs.ModelAuthenticationError, AuthenticationError),
        (theirs.ModelRequestRejectedError, InvalidRequestError),
        (theirs.ModelUnavailableError, ServerError),
        (theirs.ModelServerError, ServerError),
    )
    for their_kind, our_kind in kinds:
        if isinstance(error, their_kind):
            return our_kind
    return _kind_of_status(_status_of(error))


def _kind_of_status(status: int | None) -> type[ProviderError]:
    if status is None:
        return MalformedAnswerError
    if status == 408:
        return ProviderTimeoutError
    # 409 and 425 say that the same request may pass later, as those from 500 on do.
    return InvalidRequestError if status < 500 and status not in (409, 425) else ServerError


def _from_answer(error: UnexpectedModelBehavior) -> ProviderError:
    from pydantic_ai import exceptions as theirs

    if isinstance(error, theirs.ContentFilterError):
        return RefusalError("The model, or its safety filter, declined to answer.")
    if isinstance(error, theirs.OutputTokenLimitExceeded):
        return OutputTruncatedError(
            "The answer stopped at the token limit before it was complete. Raise max_output_tokens."
        )
    # The library's message quotes the answer.
    return MalformedAnswerError(NOT_ITS_FORMAT)


def _describe(error: ModelAPIError, private: Iterable[str]) -> str:
    status = _status_of(error)
    said, code = error_details(error.body)
    said = short_message(said or ("" if status else error.message), private)
    if status is None:
        return f"{error.model_name}: {said}"
    what = f"{error.model_name} answered {status}{f' {code}' if code else ''}"
    return f"{what}: {said}" if said else f"{what}."
