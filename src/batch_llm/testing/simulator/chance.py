"""Chance that comes out the same in every run, whatever the order in which requests arrive."""

from __future__ import annotations

import hashlib
from typing import Final

_BOUND: Final = 2**53
_REMEMBERED: Final = 50_000


class Chance:
    """Draws numbers from a seed, a subject and a purpose.

    Two runs with one seed draw the same for the same request, also where many requests race:
    nothing depends on who came first.

    Args:
        seed: any text or number.
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._seed = str(seed).encode()

    def uniform(self, purpose: str, subject: bytes) -> float:
        """Return a number from 0 up to, and without, 1."""
        # No more bits than a float holds: rounded up, the largest would be 1.
        return (int.from_bytes(self.digest(purpose, subject)[:8], "big") >> 11) / _BOUND

    def digest(self, purpose: str, subject: bytes) -> bytes:
        """Return 16 bytes."""
        data = b"\0".join((self._seed, purpose.encode(), subject))
        return hashlib.blake2b(data, digest_size=16).digest()


class Occurrences:
    """Counts how often each request was seen, so that a second try draws anew.

    Remembers the latest 50,000 different ones, and at most twice as many: a longer run does not
    grow. Whole generations are forgotten, since a dictionary that gives up one entry for each new
    one is moved to a larger place again and again.
    """

    def __init__(self) -> None:
        self._latest: dict[bytes, int] = {}
        self._before: dict[bytes, int] = {}

    def __len__(self) -> int:
        """Return how many entries are kept."""
        return len(self._latest) + len(self._before)

    def next(self, identity: bytes) -> int:
        """Return 1 for the first time, 2 for the second, and so on."""
        count = self._latest.get(identity)
        if count is None:
            count = self._before.get(identity, 0)
            if len(self._latest) >= _REMEMBERED:
                self._before, self._latest = self._latest, {}
        self._latest[identity] = count + 1
        return count + 1

    def subject(self, identity: bytes) -> bytes:
        """Note one more sight, and return what chance depends on: the request, and its number."""
        return identity + self.next(identity).to_bytes(4, "big")
