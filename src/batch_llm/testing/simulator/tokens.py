"""How many tokens a text has, by one rule that a test can work out by hand.

Real tokenizers differ by provider and model, and some download their data. Here a token is four
bytes of UTF-8, a turn costs four more, and every image or file a round number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    import msgspec

TOKENS_OF_TURN: Final = 4
TOKENS_OF_IMAGE: Final = 258
TOKENS_OF_FILE: Final = 1_000
_BYTES_OF_TOKEN: Final = 4


def count_text(text: str) -> int:
    """Return the tokens of `text`: its bytes by four, rounded up; 0 for none."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // _BYTES_OF_TOKEN)


def count_json(data: bytes | msgspec.Raw) -> int:
    """Return the tokens of JSON as it was sent: its bytes by four, rounded up."""
    return -(-len(bytes(data)) // _BYTES_OF_TOKEN)


def count_turns(turns: Iterable[tuple[str, str]]) -> int:
    """Return the tokens of (role, text) turns."""
    return sum(TOKENS_OF_TURN + count_text(text) for _, text in turns)


def cut_text(text: str, tokens: int) -> str:
    """Return the start of `text` that has at most `tokens` tokens."""
    encoded = text.encode("utf-8", "surrogatepass")[: tokens * _BYTES_OF_TOKEN]
    return encoded.decode("utf-8", "ignore")
