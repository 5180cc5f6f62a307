"""Where in a file the line of a digest begins, in few bytes a line."""

from __future__ import annotations

import threading
from array import array
from typing import Final

_FIRST_SLOTS: Final = 1024
_LOAD: Final = 0.6


class DigestIndex:
    """A hash table of numbers, in two flat arrays: 16 bytes a slot, of which up to 0.6 are used.

    It holds the first 8 bytes of each digest: what it finds must be compared with the whole. Of
    two digests that begin alike, which among a million happens once in 37 million times, the
    later one counts: the other is not found, and its item is processed again.

    One thread may put while another finds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._make(_FIRST_SLOTS)

    def __len__(self) -> int:
        return self._used

    def put(self, digest: bytes, number: int) -> None:
        """Let `digest` lead to `number`, which is 0 or more."""
        with self._lock:
            if self._used >= self._limit:
                self._grow()
            self._put(_key(digest), number + 1)

    def find(self, digest: bytes) -> int | None:
        """Return the number that was put last, or None."""
        key = _key(digest)
        with self._lock:
            found = self._numbers[self._slot(key)]
        return found - 1 if found else None

    def _make(self, slots: int) -> None:
        self._keys = array("Q", bytes(8 * slots))
        self._numbers = array("Q", bytes(8 * slots))  # 0 stands for an empty slot
        self._mask = slots - 1
        self._limit = int(slots * _LOAD)
        self._used = 0

    def _slot(self, key: int) -> int:
        keys, numbers, mask = self._keys, self._numbers, self._mask
        slot = key & mask
        while numbers[slot] and keys[slot] != key:
            slot = (slot + 1) & mask
        return slot

    def _put(self, key: int, number: int) -> None:
        slot = self._slot(key)
        if not self._numbers[slot]:
            self._used += 1
        self._keys[slot] = key
        self._numbers[slot] = number

    def _grow(self) -> None:
        keys, numbers = self._keys, self._numbers
        self._make(2 * len(keys))
        for key, number in zip(keys, numbers, strict=True):
            if number:
                self._put(key, number)


def _key(digest: bytes) -> int:
    return int.from_bytes(digest[:8], "little")
