"""The results of a run as files, one a job."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ..base.json_text import as_json
from ..base.replaced_file import replaced_file

if TYPE_CHECKING:
    import os

    from ..base import JobResult

_LONGEST_STEM: Final = 120


class ResultFiles:
    """Writes each result to a file of its own in a folder, whole or not at all.

    Args:
        folder: created if need be; what is in it stays, but for files of the same jobs.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder).expanduser()
        self._folder.mkdir(parents=True, exist_ok=True)

    def write(self, result: JobResult) -> None:
        """Write one, as an object of JSON.

        Raises:
            OSError: if it cannot be written.
        """
        with replaced_file(self._folder / f"{file_stem(result.job_id)}.json") as stream:
            stream.write(as_json(result.to_dict()) + b"\n")


def file_stem(job_id: str) -> str:
    """Return what the file of a job is called: its id, where that is a name that files can have."""
    stem = quote(job_id, safe=" ")
    if stem.startswith("."):
        stem = f"%2E{stem[1:]}"
    if len(stem) <= _LONGEST_STEM:
        return stem
    return f"{stem[:80]}-{hashlib.blake2b(job_id.encode(), digest_size=16).hexdigest()}"
