"""What the library says to programmers, said to people at the command line."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = (
    (
        "or pass api_key. For another server, pass base_url.",
        "or name another variable with --api-key-env. For another server, give its address.",
    ),
    ("or pass api_key=…", "or name another variable with --api-key-env."),
    ("Check api_key and headers.", "Check the key."),
    ("base_url (or OPENAI_BASE_URL)", "The address in --model (or OPENAI_BASE_URL)"),
    ("base_url (or ANTHROPIC_BASE_URL)", "The address in ANTHROPIC_BASE_URL"),
    (" Pass them as headers={'Authorization': 'Basic …'}.", ""),
    ("LLMRequest.temperature", "--temperature"),
    ("LLMRequest.top_p", "--top-p"),
    ("temperature cannot be set", "--temperature cannot be set"),
    ("top_p cannot be set", "--top-p cannot be set"),
    ("Leave it out, or make it None.", "Leave it out."),
    ("takes temperature or top_p,", "takes --temperature or --top-p,"),
    ("To look into it, use read_ledger;", "To look into it, use batch-llm results;"),
    (" Further ones are counted in truncated_answers.", ""),
    ("the token limit (max_output_tokens=None)", "the model's own limit"),
    ("max_output_tokens=", "--max-tokens "),
)
"""Parameters of Python that a user of the command meets, and what is said in their place."""

OPTIONS: Final = {
    "max_cost_usd": "--max-cost",
    "max_output_tokens": "--max-tokens",
    "max_requests_per_minute": "--rpm",
    "max_tokens_per_minute": "--tpm",
    "max_input_tokens_per_minute": "--input-tpm",
    "max_output_tokens_per_minute": "--output-tpm",
    "item_deadline_seconds": "--row-deadline",
    "run_deadline_seconds": "--deadline",
    "timeout_per_item": "--timeout",
    "output_schema": "--schema",
    "priced_as": "--priced-as",
    "response_cache": "--cache",
    "store_prompts": "--no-prompts",
    "max_concurrent": "--max-concurrent",
}
"""Parameters whose option says the same wherever they are named."""

_PARAMETER: Final = re.compile(rf"\b(?:ProcessorConfig\.)?({'|'.join(OPTIONS)})\b")


def in_words_of_the_command(message: str) -> str:
    """Return `message` with options in place of the parameters that they set."""
    for parameter, said in _WORDS:
        message = message.replace(parameter, said)
    return _PARAMETER.sub(lambda found: OPTIONS[found[1]], message)
