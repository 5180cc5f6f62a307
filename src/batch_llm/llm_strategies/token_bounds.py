"""The most tokens that a request can be billed for.

A token stands for a byte of text at least, whatever the model: the bytes of all text that is sent
are a bound. What a provider puts around it (the markup of turns, its own instructions for an
answer with a schema) has a generous allowance here.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

import msgspec

from ..base.request import FilePart, TextPart
from ..base.token_estimate import estimate_tokens
from ..base.usage import TokenBound
from ..exceptions import ConfigurationError
from ..pricing.model_limits import limits_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..base.request import LLMRequest, Part
    from ..base.schema import OutputSchema
    from ..base.strategy import PricedModel

REQUEST_TOKENS: Final = 256
MESSAGE_TOKENS: Final = 32
SCHEMA_TOKENS: Final = 1_024
"""What a provider may add to a request, to each of its turns, and to one with a schema."""

# Fields of a request that change neither the price of a token nor how many answers there are.
# Whatever is not known to be so refuses a bound: a field that is new may cost anything.
_HARMLESS_FIELDS: Final = frozenset(
    {
        "chat_template_kwargs",
        "frequency_penalty",
        "ignore_eos",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "metadata",
        "min_p",
        "n",
        "output_config",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_retention",
        "reasoning",
        "reasoning_effort",
        "reasoning_format",
        "repetition_penalty",
        "response_format",
        "safety_identifier",
        "seed",
        "stop",
        "stop_sequences",
        "stop_token_ids",
        "store",
        "system",
        "temperature",
        "thinking",
        "top_k",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    }
)
# Likewise, with these values alone.
_HARMLESS_VALUES: Final[Mapping[str, tuple[object, ...]]] = {
    "inference_geo": ("global",),
    "modalities": (["text"], ("text",)),
    "service_tier": ("default", "standard_only", "flex"),
    "speed": ("standard",),
}
_LIMIT_FIELDS: Final = ("max_completion_tokens", "max_tokens")


def expected_tokens(request: LLMRequest) -> int:
    """Return roughly how many input tokens a request has."""
    schema = request.output_schema
    written = "" if schema is None else _encoded_schema(schema).decode("utf-8")
    return sum(map(estimate_tokens, (request.text, request.system or "", written)))


def bound_of_body(
    body: Mapping[str, object], encoded: bytes, request: LLMRequest, priced: PricedModel | None
) -> TokenBound:
    """Return the most tokens of a request as it is sent.

    Args:
        body: the request's JSON.
        encoded: the same, encoded: it has every text in it, and its own punctuation besides.
        request: what it was made of.
        priced: which model answers; None where only a limit that is sent bounds the answer.

    Raises:
        ConfigurationError: for a field `n` that is no number of answers.
    """
    answers = body.get("n")
    if answers is not None and (not isinstance(answers, int) or answers < 1):
        raise no_bound(f"n is {answers!r}", "Make it a whole number from 1 up.")
    limits = [limit for name in _LIMIT_FIELDS if isinstance(limit := body.get(name), int)]
    most = max(limits) if limits else most_output_tokens(priced)
    return bound_of(size_of_json(encoded), request, most, answers or 1)


def bound_of(
    text_tokens: int, request: LLMRequest, most_output: int | None, answers: int = 1
) -> TokenBound:
    """Return the most tokens of a request.

    Args:
        text_tokens: the bytes of all text that is sent.
        request: what is asked; its turns and its schema have their allowances.
        most_output: the most tokens of one answer; None where nothing bounds it.
        answers: how many are asked for. Some servers bill the input for each of them.
    """
    allowance = REQUEST_TOKENS + MESSAGE_TOKENS * (len(request.messages) + 1)
    schema = request.output_schema
    if schema is not None:
        # Some show it to the model in instructions of their own, beside the one that is sent.
        allowance += SCHEMA_TOKENS + 2 * size_of_json(_encoded_schema(schema))
    return TokenBound(
        (text_tokens + allowance) * answers,
        None if most_output is None else most_output * answers,
    )


def most_output_tokens(priced: PricedModel | None) -> int | None:
    """Return the most tokens of an answer without a limit: the model's own, None if unknown."""
    limits = None if priced is None else limits_of(priced.provider, priced.model)
    return None if limits is None else limits.output_tokens


def size_of_text(text: str) -> int:
    """Return the most tokens of `text`.

    Some tokenizers normalize it first (NFKC), which can make one character many.
    """
    if text.isascii():
        return len(text)
    size = len(text.encode("utf-8", "surrogatepass"))
    return max(size, len(unicodedata.normalize("NFKC", text).encode("utf-8", "surrogatepass")))


def size_of_json(encoded: bytes) -> int:
    """Return the most tokens of the texts in `encoded`: an escape is longer than its character."""
    return len(encoded) if encoded.isascii() else size_of_text(encoded.decode("utf-8"))


def size_of_messages(request: LLMRequest) -> int:
    """Return the most tokens of a request's texts, its system prompt included."""
    texts = [message.text for message in request.messages]
    return sum(map(size_of_text, (*texts, request.system or "")))


def check_texts(request: LLMRequest, *, takes_text_files: bool = False) -> None:
    """Refuse parts whose tokens cannot be told from their bytes.

    Args:
        request: what is asked.
        takes_text_files: whether a file of text is sent as the text that it holds.

    Raises:
        ConfigurationError: for an image, or another file.
    """
    for message in request.messages:
        if isinstance(message.content, str):
            continue
        for part in message.content:
            if not (isinstance(part, TextPart) or (takes_text_files and _is_text_file(part))):
                raise no_bound(
                    f"the request has a part of the kind {type(part).__name__}, whose tokens "
                    f"only the provider can count",
                    "Send text only.",
                )


def check_fields(fields: Mapping[str, object], what: str = "extra_body") -> None:
    """Refuse further fields of which it is not known that they leave the price as it is.

    Raises:
        ConfigurationError: naming them.
    """
    unknown = [
        name
        for name, value in fields.items()
        if name not in _HARMLESS_FIELDS and value not in _HARMLESS_VALUES.get(name, ())
    ]
    if unknown:
        raise no_bound(
            f"{what} sets {', '.join(sorted(unknown))}, which may change the price of a call or "
            f"make further ones",
            "Leave it out.",
        )


def no_bound(reason: str, remedy: str) -> ConfigurationError:
    """Return the error that says why nothing bounds the price of a call, and what to do."""
    return ConfigurationError(
        f"Nothing bounds what this call can cost: {reason}. {remedy} Or do without max_cost_usd."
    )


def _is_text_file(part: Part) -> bool:
    if not isinstance(part, FilePart) or part.data is None:
        return False
    return (part.media_type or "").startswith("text/")


def _encoded_schema(schema: OutputSchema) -> bytes:
    return msgspec.json.encode(schema.json_schema)
