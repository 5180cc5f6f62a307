"""POST, GET and DELETE /files."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ..exchange import Response, json_response
from .file_store import StoredFile
from .pages import PageRequest
from .refusal import RefusedError
from .upload import LARGEST_FILE_BYTES, read_upload

if TYPE_CHECKING:
    from ..exchange import Request
    from ..world import World
    from .file_store import FileStore

_MOST_ON_A_PAGE: Final = 10_000
# OpenAI keeps to itself the content of files that its own tools read.
_NOT_FOR_DOWNLOAD: Final = frozenset({"assistants", "vision", "user_data"})


class Files:
    """Takes, lists, shows, deletes and gives back files.

    Args:
        world: where it is.
        store: where the files are.
        largest_bytes: the most that a file may hold.
    """

    def __init__(
        self,
        world: World,
        store: FileStore,
        largest_bytes: int = LARGEST_FILE_BYTES,
    ) -> None:
        self._world = world
        self._store = store
        self._largest_bytes = largest_bytes

    async def create(self, request: Request) -> Response:
        """Take an upload."""
        upload = await read_upload(request, self._largest_bytes)
        file = self._store.put(
            request.key, upload.filename, upload.purpose, upload.content, upload.life_seconds
        )
        self._world.books.note_create("openai", "file", file.id, upload.identity)
        return json_response(file.encoded())

    async def page(self, request: Request) -> Response:
        """Return a page of the files of this key."""
        before = self._world.visible_before("openai", "files.list", request)
        purpose = request.query.get("purpose")
        page = PageRequest.of(request.query, most=_MOST_ON_A_PAGE, usual=_MOST_ON_A_PAGE)
        # What the cursor names was seen already: it stays where the list lags behind.
        files = [
            (file.id, file)
            for file in self._store.newest_first(request.key, math.inf)
            if file.id == page.after
            or (purpose in (None, file.purpose) and file.created_at <= before)
        ]
        return page.cut(files, StoredFile.encoded, _no_file)

    async def retrieve(self, request: Request) -> Response:
        """Return one file's description."""
        return json_response(self._file(request).encoded())

    async def delete(self, request: Request) -> Response:
        """Delete a file."""
        name = request.params["id"]
        if not self._store.delete(request.key, name):
            raise _no_file(name)
        return json_response({"object": "file", "id": name, "deleted": True})

    async def content(self, request: Request) -> Response:
        """Return what a file holds."""
        file = self._file(request)
        if file.purpose in _NOT_FOR_DOWNLOAD:
            raise RefusedError(f"Not allowed to download files of purpose: {file.purpose}")
        return Response(body=file.content, content_type="application/octet-stream")

    def _file(self, request: Request) -> StoredFile:
        file = self._store.get(request.key, request.params["id"])
        if file is None:
            raise _no_file(request.params["id"])
        return file


def _no_file(identifier: str) -> RefusedError:
    return RefusedError(f"No such File object: {identifier}", param="id", status=404)
