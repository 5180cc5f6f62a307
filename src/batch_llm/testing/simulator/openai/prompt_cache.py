"""The cache of prompts that OpenAI keeps by itself."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..clock import Clock
    from ..exchange import Response
    from ..serving import Outcome

_LEAST_TOKENS: Final = 1_024
_STEP_TOKENS: Final = 128
_STEP_BYTES: Final = _STEP_TOKENS * 4
_FIRST_BYTES: Final = _LEAST_TOKENS * 4
_KEPT_SECONDS: Final = 86_400.0
_REMEMBERED: Final = 50_000


@dataclass(frozen=True, slots=True)
class CachedPrompt:
    """What the cache knows of one prompt.

    Attributes:
        cached_tokens: of its start, that were read from the cache: 0, or 1,024 and up in steps of
            128.
        marks: of all its starts that can be cached, for `PromptCache.keep`.
    """

    cached_tokens: int = 0
    marks: tuple[bytes, ...] = ()


class PromptCache:
    """Remembers the starts of long prompts, of each key and model, for 24 simulated hours.

    A start is 1,024 tokens long or longer, in steps of 128; a token is four bytes of the prompt's
    text. Only digests of the latest 50,000 starts are kept.

    Args:
        clock: simulated time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def look_up(self, key: str, model: str, texts: Iterable[str], tokens: int) -> CachedPrompt:
        """Return how much of a prompt is cached.

        Args:
            key: the API key.
            model: as the client named it.
            texts: of the whole prompt, in order.
            tokens: of the whole prompt; a shorter one than 1,024 costs nothing here.
        """
        if tokens < _LEAST_TOKENS:
            return CachedPrompt()
        prompt = "\0".join(texts).encode("utf-8", "surrogatepass")
        marks = tuple(_marks(f"{key}\0{model}\0".encode(), prompt))
        oldest = self._clock.now() - _KEPT_SECONDS
        steps = 0
        for mark in marks:
            if self._seen.get(mark, oldest) <= oldest:
                break
            steps += 1
        cached = _LEAST_TOKENS + (steps - 1) * _STEP_TOKENS if steps else 0
        return CachedPrompt(cached, marks)

    def keep(self, prompt: CachedPrompt) -> None:
        """Remember a prompt that was answered."""
        now = self._clock.now()
        for mark in prompt.marks:
            self._seen.pop(mark, None)
            self._seen[mark] = now
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def keeping(
        self, prompt: CachedPrompt, encode: Callable[[Outcome], Response]
    ) -> Callable[[Outcome], Response]:
        """Return what encodes an answer, and remembers the prompt once it was answered."""
        if not prompt.marks:
            return encode

        def remember(outcome: Outcome) -> Response:
            self.keep(prompt)
            return encode(outcome)

        return remember


def _marks(scope: bytes, prompt: bytes) -> Iterable[bytes]:
    """Yield a digest of each start of a prompt that can be cached, the shortest first."""
    digest = hashlib.blake2b(scope, digest_size=16)
    done = 0
    for end in range(_FIRST_BYTES, len(prompt) + 1, _STEP_BYTES):
        digest.update(prompt[done:end])
        done = end
        yield digest.copy().digest()
