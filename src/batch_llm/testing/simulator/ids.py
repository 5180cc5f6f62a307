"""Names of things, in each provider's style; the same in every run with one seed."""

from __future__ import annotations

import hashlib
import itertools
from typing import Final

_LETTERS: Final = b"0123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_LETTER_OF_BYTE: Final = bytes(_LETTERS[byte % len(_LETTERS)] for byte in range(256))


class Ids:
    """Makes names that do not repeat.

    Args:
        seed: runs with one seed make the same names in the same order.
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._seed = str(seed)
        self._count = itertools.count(1)

    def hexadecimal(self, prefix: str = "", length: int = 24) -> str:
        """Return `prefix` and `length` hexadecimal digits."""
        return prefix + self._digest(length // 2 + 1).hex()[:length]

    def letters(self, prefix: str = "", length: int = 24) -> str:
        """Return `prefix` and `length` letters and digits."""
        return prefix + self._digest(length).translate(_LETTER_OF_BYTE).decode("ascii")

    def small_letters(self, length: int) -> str:
        """Return `length` small letters and digits, as Google's names have them."""
        return self.letters("", length).lower()

    def _digest(self, length: int) -> bytes:
        name = f"{self._seed}\0{next(self._count)}".encode()
        return hashlib.shake_128(name).digest(length)
