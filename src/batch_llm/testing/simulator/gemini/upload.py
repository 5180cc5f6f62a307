"""POST /upload/{version}/files: a file in pieces, by Google's resumable protocol."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

from ..decoding import UNREADABLE
from ..exchange import Response, json_response
from .file_store import ID_CHARACTERS, is_id
from .refusal import RefusedError

if TYPE_CHECKING:
    from ..exchange import Request
    from ..world import World
    from .dialect import GeminiDialect
    from .file_store import FileStore

MOST_BYTES: Final = 2 * 1024**3
"""A file may have so many."""
DISPLAY_NAME_CHARACTERS: Final = 512
_GRANULARITY: Final = 8 * 1024**2
"""All pieces but the last have a multiple of so many bytes, as the SDK's have."""

_UNKNOWN_TYPE: Final = "application/octet-stream"
_REMEMBERED: Final = 900
_REMEMBERED_SECONDS: Final = 24 * 3_600
_DIGITS: Final = 19


class _Told(msgspec.Struct):
    """What the client tells of its file, in either spelling."""

    name: str | None = None
    display_name: str | None = None
    display_name_camel: str | None = msgspec.field(name="displayName", default=None)
    mime_type: str | None = None
    mime_type_camel: str | None = msgspec.field(name="mimeType", default=None)


class _Body(msgspec.Struct):
    file: _Told | None = None


_BODIES: Final = msgspec.json.Decoder(_Body)


@dataclass(slots=True)
class _Upload:
    """One upload, from its start to its end.

    Attributes:
        id: part of its address; who knows it may go on with the upload.
        key: the API key that started it.
        base_url: of the API with its version.
        file_id: that the client chose; None has one made.
        display_name: as the client told it.
        mime_type: as the client told it.
        size: bytes that the client promised; None where it did not.
        told: the body of the start, for the file's identity in the books.
        pieces: that came so far.
        received: bytes that came so far.
        started_at: simulated unix seconds.
        answer: the body of the last answer; None until the upload is final.
    """

    id: str
    key: str
    base_url: str
    file_id: str | None
    display_name: str | None
    mime_type: str
    size: int | None
    told: bytes
    started_at: float
    pieces: list[bytes] = field(default_factory=list)
    received: int = 0
    answer: bytes | None = None


class Uploads:
    """Takes files in, piece by piece.

    Args:
        world: where it happens.
        dialect: how errors are said.
        store: where the files go.
    """

    def __init__(self, world: World, dialect: GeminiDialect, store: FileStore) -> None:
        self._world = world
        self._dialect = dialect
        self._store = store
        self._uploads: OrderedDict[str, _Upload] = OrderedDict()

    def key_of(self, request: Request) -> str:
        """Return the key that started the upload which a request goes on with; "" for none.

        SDKs send no key with the pieces: the upload's address stands for it.
        """
        upload = self._uploads.get(request.query.get("upload_id", ""))
        return "" if upload is None else upload.key

    async def upload(self, request: Request) -> Response:
        """Start an upload, take a piece, end it, or tell how far it is."""
        commands = _commands(request)
        try:
            if "start" in commands:
                return self._start(request)
            return self._go_on(request, commands)
        except RefusedError as refused:
            response = self._dialect.refused(refused)
            # Without this header the SDK would send the piece again and again, seconds apart.
            response.headers["X-Goog-Upload-Status"] = "final"
            return response

    # --- the start -------------------------------------------------------------------------

    def _start(self, request: Request) -> Response:
        upload = self._started(request)
        self._check(upload)
        self._forget_old()
        self._uploads[upload.id] = upload
        url = (
            f"{request.origin}/upload/{request.params['version']}/files"
            f"?upload_id={upload.id}&upload_protocol=resumable"
        )
        headers = {
            "X-Goog-Upload-Status": "active",
            "X-Goog-Upload-URL": url,
            "X-Goog-Upload-Control-URL": url,
            "X-Goog-Upload-Chunk-Granularity": str(_GRANULARITY),
        }
        return Response(200, b"", headers)

    def _forget_old(self) -> None:
        """Make room for one more: what was never finished must not pile up."""
        long_ago = self._world.clock.now() - _REMEMBERED_SECONDS
        while self._uploads:
            oldest = next(iter(self._uploads.values()))
            if oldest.started_at >= long_ago and len(self._uploads) < _REMEMBERED:
                return
            del self._uploads[oldest.id]

    def _started(self, request: Request) -> _Upload:
        told = _told(request.body)
        name = told.name or ""
        if name and not name.startswith("files/"):
            raise RefusedError(f"file.name is 'files/' and an id, not {name!r}.")
        typed = told.mime_type_camel or told.mime_type
        return _Upload(
            id=self._world.ids.letters("", 40),
            key=request.key,
            base_url=f"{request.origin}/{request.params['version']}",
            file_id=name.removeprefix("files/") or None,
            display_name=told.display_name_camel or told.display_name,
            mime_type=typed
            or request.headers.get("X-Goog-Upload-Header-Content-Type", _UNKNOWN_TYPE),
            size=_count(request, "X-Goog-Upload-Header-Content-Length"),
            told=request.body,
            started_at=self._world.clock.now(),
        )

    def _check(self, upload: _Upload) -> None:
        chosen, display_name = upload.file_id, upload.display_name
        if chosen is not None and not is_id(chosen):
            raise RefusedError(
                f"The file ID {chosen!r} is not valid: it has at most {ID_CHARACTERS} lowercase "
                f"letters, digits and dashes, and does not begin or end with a dash.",
            )
        if display_name is not None and len(display_name) > DISPLAY_NAME_CHARACTERS:
            raise RefusedError(
                f"file.display_name has {len(display_name)} characters; "
                f"at most {DISPLAY_NAME_CHARACTERS} are allowed.",
            )
        self._check_size(upload.size or 0)
        self._check_free(upload)

    def _check_size(self, size: int) -> None:
        if size > MOST_BYTES:
            raise RefusedError(
                f"The file is too large: {size} bytes. At most {MOST_BYTES} are allowed."
            )

    def _check_free(self, upload: _Upload) -> None:
        if upload.file_id is not None and self._store.is_taken(upload.file_id):
            raise RefusedError("Requested entity already exists", status=409)

    # --- the pieces ------------------------------------------------------------------------

    def _go_on(self, request: Request, commands: set[str]) -> Response:
        upload = self._uploads.get(request.query.get("upload_id", ""))
        if upload is None:
            raise RefusedError(
                "There is no such upload. An upload begins with the headers "
                "'X-Goog-Upload-Protocol: resumable' and 'X-Goog-Upload-Command: start'.",
            )
        if commands == {"query"}:
            return _status(upload)
        if commands == {"cancel"}:
            del self._uploads[upload.id]
            return Response(200, b"", {"X-Goog-Upload-Status": "cancelled"})
        if not commands or not commands <= {"upload", "finalize"}:
            raise RefusedError(
                "X-Goog-Upload-Command is 'start', 'upload', 'upload, finalize', 'finalize', "
                f"'query' or 'cancel', not {', '.join(sorted(commands))!r}.",
            )
        if upload.answer is not None:
            raise RefusedError("The upload is final already.")
        if "upload" in commands:
            self._take(upload, request, is_last="finalize" in commands)
        if "finalize" in commands:
            self._finish(upload)
        return _status(upload)

    def _take(self, upload: _Upload, request: Request, *, is_last: bool) -> None:
        offset = _count(request, "X-Goog-Upload-Offset")
        size = len(request.body)
        if offset != upload.received:
            raise RefusedError(
                f"X-Goog-Upload-Offset is {offset}, but {upload.received} bytes were received.",
            )
        if not is_last and size % _GRANULARITY:
            raise RefusedError(
                f"A piece that is not the last one has a multiple of {_GRANULARITY} bytes, "
                f"not {size}.",
            )
        self._check_size(upload.received + size)
        upload.pieces.append(request.body)
        upload.received += size

    def _finish(self, upload: _Upload) -> None:
        if upload.size is not None and upload.size != upload.received:
            raise RefusedError(
                f"{upload.size} bytes were announced, but {upload.received} received."
            )
        self._check_free(upload)
        file = self._store.add(
            upload.key,
            b"".join(upload.pieces),
            upload.mime_type,
            file_id=upload.file_id,
            display_name=upload.display_name,
        )
        upload.pieces = []
        now = self._world.clock.now()
        upload.answer = json_response({"file": file.encoded(now, upload.base_url)}).body
        sent = upload.told + file.sha256_hash.encode()
        identity = self._world.chance.digest("gemini file", sent)
        self._world.books.note_create("gemini", "file", file.name, identity)


def _status(upload: _Upload) -> Response:
    headers = {"X-Goog-Upload-Size-Received": str(upload.received)}
    if upload.answer is None:
        return Response(200, b"", {**headers, "X-Goog-Upload-Status": "active"})
    return Response(200, upload.answer, {**headers, "X-Goog-Upload-Status": "final"})


def _commands(request: Request) -> set[str]:
    said = request.headers.get("X-Goog-Upload-Command", "")
    return {word.strip().lower() for word in said.split(",") if word.strip()}


def _told(body: bytes) -> _Told:
    if not body.strip():
        return _Told()
    try:
        return _BODIES.decode(body).file or _Told()
    except UNREADABLE as error:
        raise RefusedError(f"The file's description cannot be read: {error}") from error


def _count(request: Request, header: str) -> int | None:
    said = request.headers.get(header)
    if said is None:
        return None
    if not (said.isascii() and said.isdigit() and len(said) < _DIGITS):
        raise RefusedError(f"{header} is a number of bytes, not {said[:_DIGITS]!r}.")
    return int(said)
