"""One answer of a model, as text, and what was asked for made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ..exceptions import MalformedAnswerError, OutputTruncatedError, OutputValidationError
from .json_reading import UNREADABLE, read_json

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..base.request import LLMRequest
    from ..base.usage import TokenUsage
    from .cited_span import CitedSpan

T = TypeVar("T")


@dataclass(slots=True)
class ChatAnswer:
    """One answer of a model.

    Attributes:
        text: what the model wrote; "" where the limit left it no word.
        finish_reason: why it ended: "stop", "length" at the token limit, another word of the
            provider's, or None.
        usage: tokens billed; counts the provider leaves out are 0.
        model: the model that answered, as the provider names it, or None.
        request_id: the provider's id of the request or of its answer, or None.
        cited: the passages that cite something.
    """

    text: str
    finish_reason: str | None
    usage: TokenUsage
    model: str | None = None
    request_id: str | None = None
    cited: Sequence[CitedSpan] = ()

    @property
    def is_truncated(self) -> bool:
        """Whether the answer stopped at the token limit."""
        return self.finish_reason == "length"


def decoded(
    decoder: msgspec.json.Decoder[T], body: bytes, what: str, *, beside: Collection[str] = ()
) -> T:
    """Return what `body` holds; see `read_json` for what is read of a body that is not quite JSON.

    Args:
        decoder: of the form that it has.
        body: JSON.
        what: it is, such as "a batch of OpenAI's".
        beside: names of what is left out where it has another form.

    Raises:
        MalformedAnswerError: if it is not that.
    """
    try:
        return read_json(decoder, body, beside=beside)
    except UNREADABLE as error:
        raise MalformedAnswerError(describe_unreadable(what, body, error)) from None


def describe_unreadable(what: str, body: bytes, error: Exception) -> str:
    """Say that `body` is not `what`, and where it stops being so; no part of it is quoted."""
    # msgspec names the place and the type, and quotes nothing; the others quote the body.
    reason = f": {error}" if isinstance(error, msgspec.DecodeError) else ""
    return f"The answer is not {what} ({len(body)} bytes){reason}"


def parse_output(answer: ChatAnswer, request: LLMRequest) -> object:
    """Return what was asked for: text, or where the request has a schema, a value that fits it.

    A plain text that stopped at the limit is returned as it is; see `ChatAnswer.is_truncated`.

    Raises:
        OutputTruncatedError: if the limit cut an answer that has a schema.
        OutputValidationError: if the text does not fit the schema.

    The errors carry the tokens billed.
    """
    schema = request.output_schema
    if schema is None:
        return answer.text
    if answer.is_truncated:
        raise OutputTruncatedError(
            f"The answer stopped at the token limit, after {answer.usage.get('output_tokens', 0)} "
            f"output tokens and before its JSON was complete. Raise max_output_tokens (now "
            f"{request.max_output_tokens or 'left to the provider'}), or shorten a prompt that "
            f"fills the model's context.",
            usage=answer.usage,
            request_id=answer.request_id,
        )
    try:
        return schema.parse(answer.text)
    except OutputValidationError as error:
        error.usage = answer.usage
        error.request_id = answer.request_id
        raise
