"""Prefixes of prompts that a model has read already."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..clock import Clock

_LOOKED_BACK: Final = 20
KEPT: Final = 100_000
"""The most prefixes that are remembered."""
_HOUR_SECONDS: Final = 3_600


@dataclass(slots=True)
class Piece:
    """One block, in the order in which a prefix grows: schema, tools, system, turns.

    Attributes:
        identity: equal for equal blocks.
        tokens: what it costs.
        cached_seconds: how long the prefix that ends with it is to be cached; 0 where it is not.
    """

    identity: bytes
    tokens: int
    cached_seconds: int = 0


@dataclass(slots=True)
class _Entry:
    seconds: int
    expires_at: float


@dataclass(slots=True)
class CacheUse:
    """What one request reads from the cache, and what it will write to it.

    Attributes:
        read_tokens: input tokens that are read.
        written_5m_tokens: input tokens that are kept for five minutes.
        written_1h_tokens: input tokens that are kept for an hour.
    """

    read_tokens: int = 0
    written_5m_tokens: int = 0
    written_1h_tokens: int = 0
    _hit: bytes = b""
    _writes: list[tuple[bytes, int]] = field(default_factory=list)

    @property
    def written_tokens(self) -> int:
        """Input tokens that are written."""
        return self.written_5m_tokens + self.written_1h_tokens


class PromptCache:
    """Remembers the latest 100,000 prefixes, each for as long as was asked for.

    A prefix is known by a digest of all blocks up to its end, the key and the model. It is found
    at a mark, or at most 20 blocks before one.

    Args:
        clock: simulated time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def look_up(self, root: bytes, pieces: Sequence[Piece], least_tokens: int) -> CacheUse:
        """Return what a request would read and write; nothing is written yet.

        Args:
            root: what the prefix depends on besides its blocks: the key, the model, the schema.
            pieces: all blocks of the prompt.
            least_tokens: shorter prefixes are not cached.
        """
        prefixes = _prefixes(root, pieces)
        marks = [index for index, piece in enumerate(pieces) if piece.cached_seconds]
        use = CacheUse()
        found = self._longest_known(prefixes, marks)
        if found is not None:
            use._hit, use.read_tokens = prefixes[found]
        done = use.read_tokens
        for index in marks:
            digest, tokens = prefixes[index]
            if tokens <= done or tokens < least_tokens:
                continue
            seconds = pieces[index].cached_seconds
            use._writes.append((digest, seconds))
            if seconds == _HOUR_SECONDS:
                use.written_1h_tokens += tokens - done
            else:
                use.written_5m_tokens += tokens - done
            done = tokens
        return use

    def commit(self, use: CacheUse) -> None:
        """Write what a request writes, and keep what it read for its full time again."""
        now = self._clock.now()
        if (entry := self._entries.get(use._hit)) is not None:
            entry.expires_at = now + entry.seconds
            self._entries.move_to_end(use._hit)
        for digest, seconds in use._writes:
            self._entries[digest] = _Entry(seconds, now + seconds)
            self._entries.move_to_end(digest)
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)

    def __len__(self) -> int:
        return len(self._entries)

    def _longest_known(
        self, prefixes: Sequence[tuple[bytes, int]], marks: Sequence[int]
    ) -> int | None:
        now = self._clock.now()
        for mark in reversed(marks):
            for index in range(mark, max(-1, mark - _LOOKED_BACK - 1), -1):
                entry = self._entries.get(prefixes[index][0])
                if entry is not None and entry.expires_at > now:
                    return index
        return None


def _prefixes(root: bytes, pieces: Sequence[Piece]) -> list[tuple[bytes, int]]:
    """Return (digest, tokens) of the prefix that ends with each block."""
    chain = hashlib.blake2b(root, digest_size=16)
    tokens = 0
    prefixes = []
    for piece in pieces:
        chain.update(len(piece.identity).to_bytes(8, "big"))
        chain.update(piece.identity)
        tokens += piece.tokens
        prefixes.append((chain.copy().digest(), tokens))
    return prefixes
