"""Which of pydantic-ai's settings leave the price of a call as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..token_bounds import no_bound

if TYPE_CHECKING:
    from collections.abc import Mapping

# Whatever is not known to be so refuses a bound: a setting that is new may cost anything.
_HARMLESS: Final = frozenset(
    {
        "anthropic_cache",
        "anthropic_cache_instructions",
        "anthropic_cache_messages",
        "anthropic_effort",
        "anthropic_metadata",
        "anthropic_thinking",
        "extra_headers",
        "frequency_penalty",
        "google_labels",
        "google_safety_settings",
        "google_thinking_config",
        "logit_bias",
        "max_retries",
        "max_tokens",
        "openai_logprobs",
        "openai_prompt_cache_key",
        "openai_prompt_cache_retention",
        "openai_reasoning_effort",
        "openai_reasoning_summary",
        "openai_store",
        "openai_text_verbosity",
        "openai_top_logprobs",
        "openai_user",
        "parallel_tool_calls",
        "presence_penalty",
        "seed",
        "stop_sequences",
        "temperature",
        "thinking",
        "timeout",
        "top_k",
        "top_p",
    }
)


def check_settings(settings: Mapping[str, object]) -> None:
    """Refuse settings of which it is not known that they leave the price of a call as it is.

    Raises:
        ConfigurationError: naming them.
    """
    if unknown := sorted(set(settings) - _HARMLESS):
        raise no_bound(
            f"model_settings has {', '.join(unknown)}, which may change the price of a call or "
            f"make further ones",
            "Leave it out.",
        )
