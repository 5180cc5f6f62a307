"""The results of a run as files, one a job."""

from __future__ import annotations

import hashlib
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from ...base.json_text import as_json
from ...base.replaced_file import replaced_file
from ...exceptions import ConfigurationError

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from ...base import JobResult

logger = logging.getLogger("batch_llm")

_LONGEST_STEM: Final = 120
_CAPITAL: Final = re.compile("[A-Z]")
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|(com|lpt)\d) *(\.|$)", re.IGNORECASE)
"""Devices of Windows: no file there has such a name, whatever comes after a dot."""


class ResultFiles:
    """Writes each result to a file of its own in a folder, whole or not at all.

    As the state, they hold answers: their owner alone may read them. One that cannot be written
    holds up nothing: what is in it is in the state, and `check` tells of it.

    Args:
        folder: created if need be; what is in it stays, but for files of the same jobs.

    Raises:
        ConfigurationError: if there can be no such folder.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder).expanduser()
        self._unwritten: dict[Path, str] = {}
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            is_taken = self._folder.exists()
            why = "is there, and is no folder" if is_taken else f"cannot be made: {error.strerror}"
            raise ConfigurationError(
                f"results_dir {str(folder)!r} {why}. Name another folder."
            ) from error

    @property
    def lacks_some(self) -> bool:
        """Whether there are results that could not be written."""
        return bool(self._unwritten)

    def has(self, job_id: str) -> bool:
        """Return whether there is a file of that job."""
        return self._file_of(job_id).is_file()

    def write(self, result: JobResult) -> None:
        """Write one, as an object of JSON."""
        self.write_kept(result.to_dict())

    def write_kept(self, told: Mapping[str, object]) -> None:
        """Write one as the state keeps it: what `JobResult.to_dict` gave."""
        path = self._file_of(str(told["job_id"]))
        try:
            with replaced_file(path, is_private=True) as stream:
                stream.write(as_json(told) + b"\n")
        except OSError as error:
            self._note(path, error)
        else:
            self._unwritten.pop(path, None)

    def check(self) -> None:
        """Make sure that all that was written is there.

        Raises:
            ConfigurationError: naming the first file that could not be written, and why.
        """
        if not self._unwritten:
            return
        path, reason = next(iter(self._unwritten.items()))
        others = len(self._unwritten) - 1
        more = f", nor {others:,} more beside it" if others else ""
        raise ConfigurationError(
            f"results_dir: {str(path)!r} could not be written ({reason}){more}. The results are in "
            f"the state, and in results() of the run: once there is room for the files, run it "
            f"again with the same state. That writes what is missing, and sends nothing twice."
        )

    def _note(self, path: Path, error: OSError) -> None:
        reason = error.strerror or str(error)
        if not self._unwritten:
            logger.warning(
                "results_dir: %s cannot be written (%s). The run goes on, and tells at its end.",
                path,
                reason,
            )
        self._unwritten[path] = reason

    def _file_of(self, job_id: str) -> Path:
        return self._folder / f"{file_stem(job_id)}.json"


def file_stem(job_id: str) -> str:
    """Return what the file of a job is called: its id, where that is a name that files can have.

    No two ids have the same name, also where "A" and "a" are one file to the system.
    """
    stem = quote(job_id, safe=" ")
    if stem.startswith(".") or _RESERVED.match(stem):
        stem = f"%{ord(stem[0]):02X}{stem[1:]}"
    if len(stem) > _LONGEST_STEM:
        return f"{stem[:80]}-{_digest(job_id, 16)}"
    # No quoted id has a "+".
    return f"{stem}+{_digest(job_id, 6)}" if _CAPITAL.search(job_id) else stem


def _digest(job_id: str, size: int) -> str:
    return hashlib.blake2b(job_id.encode(), digest_size=size).hexdigest()
