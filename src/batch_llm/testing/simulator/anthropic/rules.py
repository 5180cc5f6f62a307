"""What Anthropic checks in a request for a message, besides its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .refusal import RefusedError, check_range, extra, missing, not_among

if TYPE_CHECKING:
    from .body import Body, Thinking
    from .catalogue import Model
    from .prompt import Prompt

_LEAST_BUDGET: Final = 1_024
_LONGEST_USER_ID: Final = 256
_NOT_COUNTED: Final = (
    "max_tokens",
    "metadata",
    "service_tier",
    "stop_sequences",
    "stream",
    "temperature",
    "top_k",
    "top_p",
)
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


def check_counted(body: Body) -> None:
    """Refuse fields that do not change how many tokens there are to count.

    Raises:
        RefusedError: for the first one.
    """
    for name in _NOT_COUNTED:
        if getattr(body, name) is not None:
            raise extra(name)


def check_limits(body: Body, model: Model) -> None:
    """Refuse fields that are out of their limits.

    Raises:
        RefusedError: for one.
    """
    most = body.max_tokens
    if most is None:
        raise missing("max_tokens")
    check_range("max_tokens", most, 0)
    if most > model.output_tokens:
        raise RefusedError(
            f"max_tokens: {most} > {model.output_tokens}, which is the maximum allowed number of "
            f"output tokens for {body.model}"
        )
    if any(not text.strip() for text in body.stop_sequences or ()):
        raise RefusedError("stop_sequences: each stop sequence must contain non-whitespace")
    user = None if body.metadata is None else body.metadata.user_id
    if user is not None and len(user) > _LONGEST_USER_ID:
        raise RefusedError(
            f"metadata.user_id: String should have at most {_LONGEST_USER_ID} characters"
        )
    if body.service_tier not in (None, "auto", "standard_only"):
        raise not_among("service_tier", "auto", "standard_only")
    effort = None if body.output_config is None else body.output_config.effort
    if effort is not None and effort not in _EFFORTS:
        raise not_among("output_config.effort", *_EFFORTS)


def check_sampling(body: Body, model: Model) -> None:
    """Refuse how to choose words, where it is out of range or the model has no choice.

    Raises:
        RefusedError: for a temperature, `top_p` or `top_k` that is.
    """
    for name in ("temperature", "top_p"):
        value = getattr(body, name)
        if value is not None and not 0 <= value <= 1:
            raise RefusedError(f"{name}: range: 0..1")
        if value not in (None, 1) and not model.takes_sampling:
            raise RefusedError(f"`{name}` is deprecated for this model.")
    check_range("top_k", body.top_k, 0)
    if body.top_k is not None and not model.takes_sampling:
        raise RefusedError("`top_k` is deprecated for this model.")
    both = body.temperature is not None and body.top_p is not None
    if both and not model.takes_both_samplings:
        raise RefusedError(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only "
            "one."
        )


def thinking_of(body: Body, model: Model) -> Thinking | None:
    """Return how the model is to think; None where it is not.

    Raises:
        RefusedError: for a way that the model does not know.
    """
    thinking = body.thinking
    if thinking is None or thinking.type in ("disabled", "between_tools"):
        return None
    if thinking.type not in ("enabled", "adaptive"):
        raise not_among("thinking.type", "enabled", "disabled", "adaptive", "between_tools")
    if thinking.display not in (None, "summarized", "omitted"):
        raise not_among(f"thinking.{thinking.type}.display", "summarized", "omitted")
    if thinking.type == "adaptive":
        if not model.takes_adaptive_thinking:
            raise RefusedError("adaptive thinking is not supported on this model")
        return thinking
    if not model.takes_thinking_budget:
        raise RefusedError(
            '"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" '
            'and "output_config.effort" to control thinking behavior.'
        )
    if thinking.budget_tokens is None:
        raise missing("thinking.enabled.budget_tokens")
    check_range("thinking.enabled.budget_tokens", thinking.budget_tokens, _LEAST_BUDGET)
    if thinking.budget_tokens >= (body.max_tokens or 0):
        raise RefusedError("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if body.temperature not in (None, 1):
        raise RefusedError("`temperature` may only be set to 1 when thinking is enabled.")
    return thinking


def check_prompt(body: Body, prompt: Prompt, model: Model) -> None:
    """Refuse a conversation that the model cannot go on with.

    Raises:
        RefusedError: for one.
    """
    if prompt.tokens > model.context_tokens:
        raise RefusedError(
            f"prompt is too long: {prompt.tokens} tokens > {model.context_tokens} maximum"
        )
    last_role, last_text = prompt.turns[-1]
    if last_role == "assistant":
        if not model.takes_prefill:
            raise RefusedError(
                "This model does not support assistant message prefill. The conversation must end "
                "with a user message."
            )
        if last_text != last_text.rstrip():
            raise RefusedError(
                "messages: final assistant content cannot end with trailing whitespace"
            )
    citable = [document.is_citable for document in prompt.documents]
    if any(citable) and not all(citable):
        raise RefusedError(
            "messages: citations must be enabled on all documents of a request, or on none"
        )
    if any(citable) and body.format is not None:
        raise RefusedError(
            "output_config.format: citations cannot be used together with an output format"
        )
