"""The files that a provider holds, until they are deleted or expire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from ..shelf import Shelf

if TYPE_CHECKING:
    from ..world import World

UploadPurpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
"""What a client may upload a file for."""
Purpose = Literal[UploadPurpose, "batch_output"]
"""What a file may be for."""

_BATCH_LIFE_SECONDS: Final = 30 * 24 * 3_600
"""Files of batches are deleted after 30 days; others stay, unless the client names a time."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file.

    Attributes:
        id: OpenAI's name for it.
        key: the API key that made it.
        filename: the client's name for it.
        purpose: what it is for.
        content: all of it.
        created_at: simulated unix seconds.
        expires_at: when it is deleted; None for never.
    """

    id: str
    key: str
    filename: str
    purpose: Purpose
    content: bytes
    created_at: float
    expires_at: float | None

    def encoded(self) -> dict[str, Any]:
        """Return it as OpenAI shows it."""
        return {
            "object": "file",
            "id": self.id,
            "purpose": self.purpose,
            "filename": self.filename,
            "bytes": len(self.content),
            "created_at": int(self.created_at),
            "expires_at": None if self.expires_at is None else int(self.expires_at),
            "status": "processed",
            "status_details": None,
        }

    def is_there(self, now: float) -> bool:
        """Return whether it has not expired."""
        return self.expires_at is None or now < self.expires_at


class FileStore:
    """All files.

    Args:
        world: where it is.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._shelf: Shelf[StoredFile] = Shelf()

    def put(
        self,
        key: str,
        filename: str,
        purpose: Purpose,
        content: bytes,
        life_seconds: int | None = None,
    ) -> StoredFile:
        """Keep a file; without `life_seconds`, for as long as is usual for its purpose."""
        self._drop_expired()
        now = self._world.clock.now()
        if life_seconds is None and purpose in ("batch", "batch_output"):
            life_seconds = _BATCH_LIFE_SECONDS
        expires_at = None if life_seconds is None else now + life_seconds
        name = self._world.ids.letters("file-", 22)
        file = StoredFile(name, key, filename, purpose, content, now, expires_at)
        self._shelf.put(key, file.id, now, file)
        return file

    def get(self, key: str, identifier: str) -> StoredFile | None:
        """Return a file, or None where there is none that `key` may see."""
        file = self._shelf.get(key, identifier)
        return file if file is not None and file.is_there(self._world.clock.now()) else None

    def delete(self, key: str, identifier: str) -> bool:
        """Delete a file; return whether it was there."""
        found = self.get(key, identifier) is not None
        self._shelf.delete(key, identifier)
        return found

    def newest_first(self, key: str, before: float) -> list[StoredFile]:
        """Return all files that `key` made up to the moment `before`, newest first."""
        now = self._world.clock.now()
        files = (file for _, file in self._shelf.newest_first(key, before))
        return [file for file in files if file.is_there(now)]

    def _drop_expired(self) -> None:
        now = self._world.clock.now()
        for file in [file for file in self._shelf if not file.is_there(now)]:
            self._shelf.delete(file.key, file.id)
