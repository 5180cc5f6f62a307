"""Things that were made at a provider."""

from __future__ import annotations

from typing import Any, NamedTuple


class Creation(NamedTuple):
    """A file, a batch or a cache that was made.

    Attributes:
        created_at: simulated unix seconds.
        provider: where.
        kind: "file", "batch" or "cache".
        name: the provider's name for it.
        identity: digest of what the client sent: equal for equal requests.
    """

    created_at: float
    provider: str
    kind: str
    name: str
    identity: bytes

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values; the identity is in hexadecimal digits."""
        return {**self._asdict(), "identity": self.identity.hex()}
