"""GET, list, DELETE and download of files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from ..exchange import Response, json_response
from .file_store import no_file
from .pages import PageRequest
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..exchange import Request
    from ..world import World
    from .file_store import FileStore, StoredFile

USUAL_PAGE: Final = 10
MOST_ON_PAGE: Final = 100


class Files:
    """Answers all about files but their upload.

    Args:
        world: where it happens.
        store: where the files are.
    """

    def __init__(self, world: World, store: FileStore) -> None:
        self._world = world
        self._store = store

    async def get(self, request: Request) -> Response:
        """Answer GET /{version}/files/{id}."""
        return json_response(self._encoded(request, self._file(request)))

    async def page(self, request: Request) -> Response:
        """Answer GET /{version}/files: newest first, 10 on a page, at most 100."""
        before = self._world.visible_before("gemini", "files.list", request)
        files = self._store.newest_first(request.key, before)
        page = PageRequest.of(request.query, most=MOST_ON_PAGE, usual=USUAL_PAGE)
        return page.cut("files", files, partial(self._encoded, request))

    async def delete(self, request: Request) -> Response:
        """Answer DELETE /{version}/files/{id}."""
        self._store.delete(request.key, self._file(request).id)
        return json_response({})

    async def download(self, request: Request) -> Response:
        """Answer GET /{version}/files/{id}:download?alt=media: generated files alone."""
        file = self._file(request)
        if request.query.get("alt") != "media":
            raise RefusedError("A file is downloaded with the parameter alt=media.")
        if file.source != "GENERATED":
            raise RefusedError(
                f"The File {file.id} was uploaded. Only generated files can be downloaded; their "
                f"source is GENERATED, and they have a downloadUri.",
            )
        return Response(200, file.content, content_type=file.mime_type)

    def _file(self, request: Request) -> StoredFile:
        file = self._store.get(request.key, request.params["id"])
        if file is None:
            raise no_file(request.params["id"])
        return file

    def _encoded(self, request: Request, file: StoredFile) -> dict[str, object]:
        version = request.params["version"]
        return file.encoded(self._world.clock.now(), f"{request.origin}/{version}")
