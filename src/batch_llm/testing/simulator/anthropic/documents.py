"""Images and documents in a prompt: where they come from, what they cost, what can be cited."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from ..decoding import is_given
from ..tokens import TOKENS_OF_FILE, TOKENS_OF_IMAGE, count_text
from .body import CITATIONS, SOURCES, decode
from .prompt_cache import Piece
from .refusal import RefusedError, missing, not_among

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .body import Block, Source

DocumentKind = Literal["text", "pages", "blocks"]

_IMAGE_TYPES: Final = ("image/jpeg", "image/png", "image/gif", "image/webp")
_FIELDS: Final = {"base64": "data", "url": "url", "file": "file_id"}


@dataclass(slots=True)
class Document:
    """A document that the answer may cite.

    Attributes:
        index: among all documents of the request, from 0.
        kind: how places in it are named: by characters, pages or blocks.
        title: None for none.
        file_id: of an uploaded file; None for any other.
        is_citable: whether citations are on.
        texts: the text, or the text of each block; empty where it is not known, as of a PDF.
    """

    index: int
    kind: DocumentKind
    title: str | None
    file_id: str | None
    is_citable: bool
    texts: Sequence[str]


def read_image(block: Block, place: str) -> Piece:
    """Return an image.

    Raises:
        RefusedError: for a source that the API does not take.
    """
    source = _source(block, f"{place}.image")
    if source.type not in ("base64", "url", "file"):
        raise not_among(f"{place}.image.source.type", "base64", "url", "file")
    if source.type == "base64" and source.media_type not in _IMAGE_TYPES:
        raise not_among(f"{place}.image.source.base64.media_type", *_IMAGE_TYPES)
    _check_source(source, f"{place}.image.source")
    return Piece(bytes(block.source), TOKENS_OF_IMAGE)


def read_document(documents: list[Document], block: Block, place: str) -> Piece:
    """Return a document, which joins those of the request.

    Raises:
        RefusedError: for a source that the API does not take.
    """
    place = f"{place}.document"
    source = _source(block, place)
    kind, texts = _document_text(source, f"{place}.source")
    citable = (
        is_given(block.citations)
        and decode(CITATIONS, bytes(block.citations), f"{place}.citations").enabled
    )
    documents.append(Document(len(documents), kind, block.title, source.file_id, citable, texts))
    own = sum(map(count_text, texts)) if texts else TOKENS_OF_FILE
    tokens = own + count_text(block.title or "") + count_text(block.context or "")
    identity = f"{block.title}\0{block.context}\0{citable}\0".encode() + bytes(block.source)
    return Piece(identity, tokens)


def _document_text(source: Source, place: str) -> tuple[DocumentKind, list[str]]:
    if source.type == "text":
        if source.media_type != "text/plain":
            raise not_among(f"{place}.text.media_type", "text/plain")
        if not source.data:
            raise missing(f"{place}.text.data")
        return "text", [source.data]
    if source.type == "content":
        content = source.content
        if content is None:
            raise missing(f"{place}.content.content")
        if isinstance(content, str):
            return "blocks", [content]
        return "blocks", [block.text or "" for block in content]
    if source.type not in ("base64", "url", "file"):
        raise not_among(f"{place}.type", "base64", "text", "content", "url", "file")
    if source.type == "base64" and source.media_type != "application/pdf":
        raise not_among(f"{place}.base64.media_type", "application/pdf")
    _check_source(source, place)
    return "pages", []


def _source(block: Block, place: str) -> Source:
    if not is_given(block.source):
        raise missing(f"{place}.source")
    return decode(SOURCES, bytes(block.source), f"{place}.source")


def _check_source(source: Source, place: str) -> None:
    name = _FIELDS[source.type]
    if not getattr(source, name):
        raise missing(f"{place}.{source.type}.{name}")
    if source.type == "file":
        # Nobody can have uploaded it: there is no Files API here.
        raise RefusedError(f"File not found: {source.file_id}", 404)
