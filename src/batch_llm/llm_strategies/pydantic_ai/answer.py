"""A pydantic-ai response, read as an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...exceptions import (
    MalformedAnswerError,
    OutputTruncatedError,
    OutputValidationError,
    RefusalError,
    ServerError,
)
from .usage import usage_of

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse

    from ...base.schema import OutputSchema
    from ...base.usage import TokenUsage


def read_answer(response: ModelResponse, schema: OutputSchema | None) -> tuple[Any, TokenUsage]:
    """Return the answer and the tokens it took.

    Args:
        response: what the model sent.
        schema: what the answer was asked to fit; None for plain text.

    Raises:
        RefusalError: if the model or a safety filter declined.
        OutputTruncatedError: if a structured answer was cut at the token limit. Cut plain text is
            returned as it is.
        OutputValidationError: if a structured answer does not fit the schema.
        MalformedAnswerError: if there is no text, or no end of it.
        ServerError: if the model stopped with an error.
            Each carries the tokens that were billed, in `usage`.
    """
    usage = usage_of(response)
    reason = response.finish_reason
    if reason == "content_filter":
        raise RefusalError("The model, or its safety filter, declined to answer.", usage=usage)
    if reason == "error":
        raise ServerError("The model stopped with an error before it had answered.", usage=usage)
    check_end(response, usage)
    if schema is not None and reason == "length":
        raise OutputTruncatedError(
            f"The answer stopped at the token limit, after {usage.get('output_tokens', 0)} output "
            f"tokens and before its JSON was complete. Raise max_output_tokens.",
            usage=usage,
        )
    text = answer_text(response, schema)
    if text is None:
        raise MalformedAnswerError("The answer holds no text.", usage=usage)
    if schema is None:
        return text, usage
    try:
        return schema.parse(text), usage
    except OutputValidationError as error:
        error.usage = usage
        raise


def check_end(response: ModelResponse, usage: TokenUsage) -> None:
    """Refuse the beginning of an answer whose rest never came.

    The library has Anthropic stream long answers, and takes a stream that breaks off in good order
    for a whole one. What such an answer lacks is the reason for its end, which is always told.

    Args:
        response: what the model sent.
        usage: what it, or the run it ends, took.

    Raises:
        MalformedAnswerError: with `usage`, if the rest is missing.
    """
    told = (response.provider_details or {}).get("finish_reason")
    if response.provider_name == "anthropic" and not response.finish_reason and not told:
        error = MalformedAnswerError("The answer's stream broke off before its end.", usage=usage)
        error.is_bill_final = False  # a stream tells its output last
        raise error


def answer_text(response: ModelResponse, schema: OutputSchema | None) -> str | None:
    """Return what the model wrote: the arguments of the output tool, or its text."""
    if schema is not None:
        for call in response.tool_calls:
            if call.tool_name == schema.name:
                return call.args_as_json_str()
    return response.text
