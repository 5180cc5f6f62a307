"""What the library says to programmers, said to people at the command line."""

from __future__ import annotations

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
)
"""Parameters of Python that a user of the command meets, and the options that set them."""


def in_words_of_the_command(message: str) -> str:
    """Return `message` with options in place of the parameters that they set."""
    for parameter, option in _WORDS:
        message = message.replace(parameter, option)
    return message
