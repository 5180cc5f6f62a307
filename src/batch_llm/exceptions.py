"""Every error the package raises, drawn as a tree.

BatchLLMError
├── ConfigurationError (ValueError)        a setting that cannot work; refused before any call
│   ├── MissingExtraError (ImportError)    an optional dependency is not installed
│   ├── MissingLibraryError (ImportError)  a library of yours that an export needs is not installed
│   ├── MissingKeyError                    a provider's key is not set
│   └── LaneError                          work that cannot travel in another lane
├── InputError (ValueError)                a row, prompt or source that cannot be used
│   └── JobError                           a job of the batch lane that cannot be used
├── SourceError                            the source of work items failed; carries what finished
├── OutputError                            results can no longer be written (rows/sink.py)
├── BudgetExceededError                    a call might cost more than is left of max_cost_usd
├── LedgerError                            the ledger cannot be read or written
├── StateError                             the state of a batch cannot be read or written
│   └── StateMismatchError (ValueError)    it holds other jobs under the ids of these
├── UnkeptOutputError (ValueError)         an output that a ledger could not give back as it is
├── ProcessorClosedError (RuntimeError)    work was given to a processor that has been closed
├── FrameworkTimeoutError (TimeoutError)   an attempt ran out of time (strategies/errors.py)
└── ProviderError                          a call to a provider failed
    ├── RateLimitedError                   429: too many requests, or quota used up for now
    ├── AuthenticationError                401, 403: the key is missing, wrong or not allowed
    ├── InvalidRequestError                400, 404, 413, 422: the request itself is refused
    ├── ServerError                        5xx: the provider failed
    ├── ProviderTimeoutError               the provider or the connection gave no answer in time
    ├── ConnectionFailedError              no connection, or it broke before the answer was whole
    ├── SubmissionError                    a remote batch was to be created, and no id came back
    └── AnswerError                        an answer came, and cannot be used
        ├── MalformedAnswerError           not the provider's format (cut JSON, no choice)
        ├── OutputValidationError          the text does not fit the requested schema
        ├── OutputTruncatedError           the answer stopped at the token limit
        └── RefusalError                   the model or its safety filter declined

Errors of SDKs and HTTP clients are translated into this tree once, in the leaf that makes the call.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any, Literal, Unpack

    from .base.results import BatchResult
    from .base.usage import TokenUsage


_SHOWN = 5


class BatchLLMError(Exception):
    """Root of the package's errors."""


class ConfigurationError(BatchLLMError, ValueError):
    """A setting cannot work. The message names it, its value and what would be accepted."""


class MissingExtraError(ConfigurationError, ImportError):
    """An optional dependency is not installed. The message holds the install command.

    Args:
        feature: what the user asked for, as a noun ("the local model").
        extra: the extra of this package that brings it ("local").
    """

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs an optional dependency. Install it with: "
            f"pip install 'batch-llm[{extra}]'"
        )
        self.feature = feature
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str]]:
        return type(self), (self.feature, self.extra)


class MissingLibraryError(ConfigurationError, ImportError):
    """A library that no extra of this package brings is not installed. The message says how to.

    Args:
        feature: what the user asked for, as a noun.
        library: what to install.
    """

    def __init__(self, feature: str, library: str) -> None:
        super().__init__(f"{feature} needs it installed: pip install {library}")
        self.feature = feature
        self.library = library

    def __reduce__(self) -> tuple[type[MissingLibraryError], tuple[str, str]]:
        return type(self), (self.feature, self.library)


class MissingKeyError(ConfigurationError):
    """A provider's key is not set. The message names the environment variable."""


class LaneError(ConfigurationError):
    """Work cannot travel in another lane. The message names the first of it, and why.

    Attributes:
        refused: why each cannot, by the id of the job or the item.
    """

    def __init__(self, refused: Mapping[str, str]) -> None:
        self.refused = dict(refused)
        shown = [f"{name!r}: {why}" for name, why in list(self.refused.items())[:_SHOWN]]
        left = len(self.refused) - len(shown)
        more = f" And {left} more." if left else ""
        super().__init__(f"{' '.join(shown)}{more}")

    def __reduce__(self) -> tuple[type[LaneError], tuple[dict[str, str]]]:
        return type(self), (self.refused,)


class InputError(BatchLLMError, ValueError):
    """A row, prompt or source cannot be used. The message names its line or field."""


class JobError(InputError):
    """A job of the batch lane cannot be used. The message names the job and the field.

    Attributes:
        job_id: the job's id; None where it has none that can be used.
        field: the field that is wrong, such as "messages".
    """

    def __init__(self, message: str, *, job_id: str | None, field: str) -> None:
        super().__init__(message)
        self.job_id = job_id
        self.field = field

    def __reduce__(self) -> tuple[partial[JobError], tuple[str]]:
        return partial(JobError, job_id=self.job_id, field=self.field), (str(self),)


class SourceError(BatchLLMError):
    """The source of work items raised while it was being read.

    Attributes:
        result: what had finished by then; nothing already paid for is lost.
    """

    def __init__(self, message: str, result: BatchResult[Any, Any]) -> None:
        super().__init__(message)
        self.result = result

    def __reduce__(self) -> tuple[type[SourceError], tuple[str, BatchResult[Any, Any]]]:
        return type(self), (str(self), self.result)


class LedgerError(BatchLLMError):
    """A ledger cannot be read or written. The message names its file and the system's reason.

    After a failed write nothing more is written, so that a ledger has no holes.

    Attributes:
        path: the ledger's file.
        reason: the system's words ("No space left on device").
        result: what had finished by then, where a processor raises it; all of it that was handed
            out before is in the ledger too.
    """

    def __init__(
        self,
        message: str,
        path: str | Path,
        reason: str,
        result: BatchResult[Any, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason
        self.result = result

    def __reduce__(
        self,
    ) -> tuple[type[LedgerError], tuple[str, str | Path, str, BatchResult[Any, Any] | None]]:
        return type(self), (str(self), self.path, self.reason, self.result)


class StateError(BatchLLMError):
    """The state of a batch cannot be read or written. The message names its file and the reason.

    After a failed write nothing more is written, so that the file has no holes.

    Attributes:
        path: the state's file.
        reason: the system's words ("No space left on device"), or what is wrong with the file.
    """

    def __init__(self, message: str, path: str | Path, reason: str) -> None:
        super().__init__(message)
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[StateError], tuple[object, ...]]:
        return type(self), (str(self), self.path, self.reason)


class StateMismatchError(StateError, ValueError):
    """Jobs differ from those that a state holds under the same ids. Nothing was changed.

    Attributes:
        job_ids: the ids of those jobs.
    """

    def __init__(
        self, message: str, path: str | Path, reason: str, job_ids: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, path, reason)
        self.job_ids = job_ids

    def __reduce__(self) -> tuple[type[StateMismatchError], tuple[object, ...]]:
        return type(self), (str(self), self.path, self.reason, self.job_ids)


class UnkeptOutputError(BatchLLMError, ValueError):
    """An output that a ledger could not give back as it is. The message names the item."""


class ProcessorClosedError(BatchLLMError, RuntimeError):
    """Work was given to a processor after it was closed or told to stop."""


class BudgetExceededError(BatchLLMError):
    """A call was not made: it might cost more than is left of the limit in USD.

    Attributes:
        max_usd: the limit (`ProcessorConfig.max_cost_usd`).
        needed_usd: what the call might cost at the most.
        spent_usd: what calls have cost.
        held_usd: what calls may have cost whose answers never came.
    """

    def __init__(
        self, message: str, *, max_usd: float, needed_usd: float, spent_usd: float, held_usd: float
    ) -> None:
        super().__init__(message)
        self.max_usd = max_usd
        self.needed_usd = needed_usd
        self.spent_usd = spent_usd
        self.held_usd = held_usd

    def __reduce__(self) -> tuple[partial[BudgetExceededError], tuple[str]]:
        amounts = partial(
            BudgetExceededError,
            max_usd=self.max_usd,
            needed_usd=self.needed_usd,
            spent_usd=self.spent_usd,
            held_usd=self.held_usd,
        )
        return amounts, (str(self),)


class _Details(TypedDict, total=False):
    """The parameters of a `ProviderError`; their meaning stands in that class."""

    status_code: int | None
    code: str | None
    retry_after: float | None
    usage: TokenUsage | Mapping[str, int] | None
    request_id: str | None


class ProviderError(BatchLLMError):
    """A call to a provider failed.

    Attributes:
        status_code: HTTP status, or None where there was no answer.
        code: the provider's own code ("insufficient_quota", "RESOURCE_EXHAUSTED"), or None.
        retry_after: seconds the provider asks to wait, or None where it does not say.
        usage: tokens billed for the failed call, or None where the provider does not say.
        is_bill_final: False where more may be billed than `usage` says: the answer had begun, and
            broke off or reports a failure without its bill.
        request_id: the provider's id of the request, for its support, or None.
    """

    def __init__(
        self,
        message: str,
        *,
        status_code: int | None = None,
        code: str | None = None,
        retry_after: float | None = None,
        usage: TokenUsage | Mapping[str, int] | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status_code = status_code
        self.code = code
        self.retry_after = retry_after
        self.usage = usage
        self.is_bill_final = True
        self.request_id = request_id


class RateLimitedError(ProviderError):
    """The provider refused the call because too many were made."""


class AuthenticationError(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""


class InvalidRequestError(ProviderError):
    """The provider refuses the request itself; sending it again would fail again."""


class ServerError(ProviderError):
    """The provider failed; the same request may succeed later."""


class ProviderTimeoutError(ProviderError):
    """The provider, or the connection to it, gave no answer in time."""


class ConnectionFailedError(ProviderError):
    """No connection could be made, or it broke before the answer was whole.

    Attributes:
        was_sent: False where it is known that no part of the request was sent: such a call costs
            nothing.
    """

    def __init__(self, message: str, *, was_sent: bool = True, **details: Unpack[_Details]) -> None:
        super().__init__(message, **details)
        self.was_sent = was_sent


class SubmissionError(ProviderError):
    """A remote batch was to be created, and no id of it came back.

    Attributes:
        acceptance: "refused" where the provider surely did not take it: it may be sent again.
            "accepted" where it surely did, and "unknown" where nobody can tell: sent again, it
            may run and be billed twice; look for it first.
    """

    def __init__(
        self,
        message: str,
        acceptance: Literal["refused", "accepted", "unknown"] = "unknown",
        **details: Unpack[_Details],
    ) -> None:
        super().__init__(message, **details)
        self.acceptance = acceptance


class AnswerError(ProviderError):
    """An answer came and was billed, but cannot be used."""


class MalformedAnswerError(AnswerError):
    """The answer is not in the provider's format."""


class OutputValidationError(AnswerError):
    """The answer's text does not fit the schema that was asked for."""


class OutputTruncatedError(AnswerError):
    """The answer stopped at the token limit before it was complete."""


class RefusalError(AnswerError):
    """The model, or the provider's safety filter, declined to answer."""
