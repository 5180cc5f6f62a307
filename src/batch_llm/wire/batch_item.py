"""One request of a batch, and what became of it, in the words of no single provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from ..base.usage import complete_usage
from ..exceptions import InputError, ProviderError
from .embedding import Embedding, EmbeddingText
from .json_body import encode_body

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from ..base.request import LLMRequest
    from ..base.usage import TokenUsage
    from .answer import ChatAnswer
    from .cited_span import CitedSpan

BatchOutcome: TypeAlias = Literal["succeeded", "errored", "expired", "canceled"]
"""How one request of a batch ends."""


@dataclass(frozen=True, slots=True)
class BatchRequestLine:
    """One request of a batch.

    Attributes:
        custom_id: the caller's name for it, which need not be one that the provider takes.
        request: what is asked.
        model: the model, as the provider names it.
    """

    custom_id: str
    request: LLMRequest | EmbeddingText
    model: str


@dataclass(slots=True, kw_only=True)
class BatchAnswer:
    """What became of one request of a batch.

    Attributes:
        custom_id: the caller's name for it.
        outcome: "succeeded" where there is an answer that can be used.
        text: what the model wrote; None where there is none.
        finish_reason: "stop", "length" at the limit of tokens, another word of the provider's, or
            None.
        usage: tokens billed; None where the provider does not say.
        may_be_billed: whether a request without a usable answer may be billed all the same, since
            the provider says that it has answered.
        error: why there is no answer; it quotes no answer.
        cited: the passages that cite something.
        embedding: the vector, where one was asked for.
        model: the model that answered, as the provider names it, or None.
        request_id: the provider's id of the request or of its answer, or None.
        raw: the whole line of the provider's results.
    """

    custom_id: str
    outcome: BatchOutcome
    text: str | None = None
    finish_reason: str | None = None
    usage: TokenUsage | None = None
    may_be_billed: bool = False
    error: ProviderError | None = None
    cited: Sequence[CitedSpan] = ()
    embedding: Sequence[float] | None = field(default=None, repr=False)
    model: str | None = None
    request_id: str | None = None
    raw: bytes = field(default=b"", repr=False)

    @property
    def is_truncated(self) -> bool:
        """Whether the answer stopped at the token limit."""
        return self.finish_reason == "length"

    @property
    def citations(self) -> list[dict[str, Any]]:
        """All places that the answer cites, as the provider's JSON has them."""
        return [location for span in self.cited for location in span.locations]

    @property
    def error_message(self) -> str | None:
        """Why there is no answer."""
        return None if self.error is None else str(self.error)

    @property
    def error_code(self) -> str | None:
        """The provider's own word for it, where it has one."""
        return None if self.error is None else self.error.code


def encode_of(line: BatchRequestLine, encode: Callable[[], Mapping[str, object]]) -> bytes:
    """Return what `encode` makes of a line, as JSON.

    Raises:
        InputError: for a request that this provider cannot be asked, naming the job.
    """
    try:
        return encode_body(encode())
    except InputError as error:
        raise InputError(f"Job {line.custom_id!r}: {error}") from None


PrivateTexts: TypeAlias = "Callable[[str], Iterable[str]]"
"""Gives, for a custom id of the provider's results, the texts that no error may quote."""


def no_private_texts(_: str) -> Iterable[str]:
    """Give none."""
    return ()


def answer_read(
    custom_id: str, raw: bytes, read: Callable[[], ChatAnswer | Embedding]
) -> BatchAnswer:
    """Return what `read` gives as the answer of a line, and what it raises as the line's error.

    Args:
        custom_id: whose answer it is.
        raw: the whole line.
        read: decodes the body of a live answer, and raises the errors of one.
    """
    try:
        answer = read()
    except ProviderError as error:
        return answer_failed(custom_id, raw, error, may_be_billed=True)
    if isinstance(answer, Embedding):
        return BatchAnswer(
            custom_id=custom_id,
            outcome="succeeded",
            usage=answer.usage,
            embedding=answer.values,
            model=answer.model,
            raw=raw,
        )
    return BatchAnswer(
        custom_id=custom_id,
        outcome="succeeded",
        text=answer.text,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        cited=answer.cited,
        model=answer.model,
        request_id=answer.request_id,
        raw=raw,
    )


def answer_failed(
    custom_id: str,
    raw: bytes,
    error: ProviderError,
    outcome: BatchOutcome = "errored",
    *,
    may_be_billed: bool = False,
) -> BatchAnswer:
    """Return the end of a request that has no answer."""
    return BatchAnswer(
        custom_id=custom_id,
        outcome=outcome,
        usage=None
        if error.usage is None
        else complete_usage(cast("Mapping[str, int]", error.usage)),
        may_be_billed=may_be_billed,
        error=error,
        request_id=error.request_id,
        raw=raw,
    )
