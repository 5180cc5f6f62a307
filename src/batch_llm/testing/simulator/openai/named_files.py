"""Uploaded files that a request names."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .refusal import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .file_store import FileStore


class NamedFile(NamedTuple):
    """A file that a request names.

    Attributes:
        place: where, such as "messages[0].content[1].file.file_id".
        id: the name.
    """

    place: str
    id: str


def check_files(store: FileStore, key: str, named: Iterable[NamedFile]) -> None:
    """Refuse a file that is not there, or that another key made.

    Raises:
        RefusedError: for the first such file.
    """
    for place, identifier in named:
        if not identifier.startswith("file"):
            message = f"Invalid '{place}': '{identifier}'. Expected an ID that begins with 'file'."
            raise RefusedError(message, param=place, code="invalid_value")
        if store.get(key, identifier) is None:
            message = f"No such File object: {identifier}"
            raise RefusedError(message, param=place, status=404)
