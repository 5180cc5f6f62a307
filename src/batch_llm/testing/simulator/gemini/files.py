"""GET, list, DELETE and download of files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exchange import Response, json_response
from .pages import PageRefusedError, cut_page

if TYPE_CHECKING:
    from ..exchange import Request
    from ..world import World
    from .dialect import GeminiDialect
    from .files_store import FileStore, StoredFile

USUAL_PAGE: Final = 10
MOST_ON_PAGE: Final = 100


class Files:
    """Answers all about files but their upload.

    Args:
        world: where it happens.
        dialect: how errors are said.
        store: where the files are.
    """

    def __init__(self, world: World, dialect: GeminiDialect, store: FileStore) -> None:
        self._world = world
        self._dialect = dialect
        self._store = store

    async def get(self, request: Request) -> Response:
        """Answer GET /{version}/files/{id}."""
        file = self._store.get(request.key, request.params["id"])
        return (
            self._unknown(request) if file is None else json_response(self._encoded(file, request))
        )

    async def page(self, request: Request) -> Response:
        """Answer GET /{version}/files: newest first, 10 on a page, at most 100."""
        before = self._world.visible_before("gemini", "files.list", request.key)
        files = self._store.newest_first(request.key, before)
        try:
            page, token = cut_page(files, request.query, usual=USUAL_PAGE, most=MOST_ON_PAGE)
        except PageRefusedError as refused:
            return self._dialect.error(400, str(refused))
        value: dict[str, object] = {}
        if page:
            value["files"] = [self._encoded(file, request) for file in page]
        if token is not None:
            value["nextPageToken"] = token
        return json_response(value)

    async def delete(self, request: Request) -> Response:
        """Answer DELETE /{version}/files/{id}."""
        file = self._store.delete(request.key, request.params["id"])
        return self._unknown(request) if file is None else json_response({})

    async def download(self, request: Request) -> Response:
        """Answer GET /{version}/files/{id}:download?alt=media: generated files alone."""
        file = self._store.get(request.key, request.params["id"])
        if file is None:
            return self._unknown(request)
        if request.query.get("alt") != "media":
            return self._dialect.error(400, "A file is downloaded with the parameter alt=media.")
        if file.source != "GENERATED":
            return self._dialect.error(
                400,
                f"The File {file.id} was uploaded. Only generated files can be downloaded; their "
                f"source is GENERATED, and they have a downloadUri.",
            )
        return Response(200, file.content, content_type=file.mime_type)

    def _encoded(self, file: StoredFile, request: Request) -> dict[str, object]:
        version = request.params["version"]
        return file.encoded(self._world.clock.now(), f"{request.origin}/{version}")

    def _unknown(self, request: Request) -> Response:
        return self._dialect.error(403, no_file(request.params["id"]))


def no_file(file_id: str) -> str:
    """Return Google's words for a file that there is not, or that is another key's."""
    return f"You do not have permission to access the File {file_id} or it may not exist."
