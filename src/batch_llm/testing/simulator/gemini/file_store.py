"""The files that clients uploaded, and those that batches wrote."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ..clock import rfc3339
from ..shelf import Shelf
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..world import World

FileState = Literal["PROCESSING", "ACTIVE"]
FileSource = Literal["UPLOADED", "GENERATED"]

LIFE_SECONDS: Final = 48 * 3_600.0
"""Files vanish so long after they came."""
VIDEO_SECONDS: Final = 10.0
"""A video is looked through for so long before it can be used; all else can be used at once."""
ID_CHARACTERS: Final = 40
"""The most that a chosen id has; those of a batch's results are longer."""

_ID: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_NEW_ID_CHARACTERS: Final = 12


@dataclass(slots=True)
class StoredFile:
    """One file.

    Attributes:
        id: the name without "files/".
        content: all of it.
        mime_type: as the client told it.
        display_name: as the client told it; None where it did not.
        source: whether a client sent it, or a batch wrote it.
        created_at: simulated unix seconds.
        ready_at: from when on it can be used.
        expires_at: when it vanishes.
        sha256_hash: of the content: the Base64 of the digest's hexadecimal digits, as Google's is.
    """

    id: str
    content: bytes
    mime_type: str
    display_name: str | None
    source: FileSource
    created_at: float
    ready_at: float
    expires_at: float
    sha256_hash: str

    @property
    def name(self) -> str:
        """The name in the API: "files/abc"."""
        return f"files/{self.id}"

    def state(self, now: float) -> FileState:
        """Return whether it can be used by now."""
        return "ACTIVE" if now >= self.ready_at else "PROCESSING"

    def encoded(self, now: float, base_url: str) -> dict[str, object]:
        """Return the file as the API tells it, without its content.

        What is set follows `google.genai.types.File`: `downloadUri` for generated files alone,
        `displayName` where one was given, `error` and `videoMetadata` never: no file is looked
        into here.

        Args:
            now: simulated unix seconds.
            base_url: of the API with its version: "http://127.0.0.1:8080/gemini/v1beta".
        """
        value: dict[str, object] = {
            "name": self.name,
            "mimeType": self.mime_type,
            "sizeBytes": str(len(self.content)),
            "createTime": rfc3339(self.created_at),
            "updateTime": rfc3339(self.ready_at if now >= self.ready_at else self.created_at),
            "expirationTime": rfc3339(self.expires_at),
            "sha256Hash": self.sha256_hash,
            "uri": f"{base_url}/{self.name}",
            "state": self.state(now),
            "source": self.source,
        }
        if self.display_name is not None:
            value["displayName"] = self.display_name
        if self.source == "GENERATED":
            value["downloadUri"] = f"{base_url}/{self.name}:download?alt=media"
        return value


class FileStore:
    """All files of one world, each until it expires.

    Ids are one space for all keys, as the addresses of files are; a key sees its own files alone.

    Args:
        world: whose clock they expire by.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._shelf: Shelf[StoredFile] = Shelf()
        self._taken: set[str] = set()
        self._oldest_first: deque[tuple[float, str, str]] = deque()

    def add(
        self,
        key: str,
        content: bytes,
        mime_type: str,
        *,
        file_id: str | None = None,
        display_name: str | None = None,
        source: FileSource = "UPLOADED",
    ) -> StoredFile:
        """Keep a file of `key`; a chosen id must not be taken, None makes one."""
        self._forget_expired()
        now = self._world.clock.now()
        file = StoredFile(
            file_id or self._new_id(),
            content,
            mime_type,
            display_name,
            source,
            created_at=now,
            ready_at=now + (VIDEO_SECONDS if mime_type.startswith("video/") else 0.0),
            expires_at=now + LIFE_SECONDS,
            sha256_hash=_hash(content),
        )
        self._shelf.put(key, file.id, now, file)
        self._taken.add(file.id)
        self._oldest_first.append((file.expires_at, key, file.id))
        return file

    def get(self, key: str, file_id: str) -> StoredFile | None:
        """Return a file, or None where `key` has none of this id."""
        self._forget_expired()
        return self._shelf.get(key, file_id)

    def usable(self, key: str, file_id: str) -> StoredFile:
        """Return a file that a request can use.

        Raises:
            RefusedError: where `key` has none of this id, or none that can be used yet.
        """
        file = self.get(key, file_id)
        if file is None:
            raise no_file(file_id)
        if file.state(self._world.clock.now()) != "ACTIVE":
            raise RefusedError(
                f"The File {file_id} is not in an ACTIVE state and usage is not allowed.",
                error_type="FAILED_PRECONDITION",
            )
        return file

    def delete(self, key: str, file_id: str) -> StoredFile | None:
        """Take a file away, and return it; None where `key` has none of this id."""
        self._forget_expired()
        file = self._shelf.delete(key, file_id)
        if file is not None:
            self._taken.discard(file_id)
        return file

    def newest_first(self, key: str, before: float) -> list[StoredFile]:
        """Return the files that `key` made up to the moment `before`."""
        self._forget_expired()
        return [file for _, file in self._shelf.newest_first(key, before)]

    def is_taken(self, file_id: str) -> bool:
        """Return whether any key has a file of this id."""
        self._forget_expired()
        return file_id in self._taken

    def _new_id(self) -> str:
        while self.is_taken(made := self._world.ids.small_letters(_NEW_ID_CHARACTERS)):
            pass
        return made

    def _forget_expired(self) -> None:
        """Drop what has expired: all live equally long, so the oldest come first."""
        now = self._world.clock.now()
        while self._oldest_first and self._oldest_first[0][0] <= now:
            _, key, file_id = self._oldest_first.popleft()
            file = self._shelf.get(key, file_id)
            if file is not None and file.expires_at <= now:  # the id may have been given anew
                self._shelf.delete(key, file_id)
                self._taken.discard(file_id)


def no_file(file_id: str) -> RefusedError:
    """Return the refusal of a file that there is not, or that is another key's."""
    message = f"You do not have permission to access the File {file_id} or it may not exist."
    return RefusedError(message, status=403)


def _hash(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).hexdigest().encode()).decode()


def is_id(text: str) -> bool:
    """Return whether a client may choose this id: see `google.genai.types.File.name`."""
    return len(text) <= ID_CHARACTERS and _ID.fullmatch(text) is not None
