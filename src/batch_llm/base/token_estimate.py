"""How many tokens a text has, roughly."""

from __future__ import annotations

from typing import Final

BYTES_OF_TOKEN: Final = 4


def estimate_tokens(text: str) -> int:
    """Return roughly how many tokens `text` has: a token for four bytes of UTF-8; 0 for none.

    For people, never for limits: models differ, and so do languages. It needs no tokenizer, which
    would be right for some models only, and most of which download their tables when first used.
    """
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-size // BYTES_OF_TOKEN)
