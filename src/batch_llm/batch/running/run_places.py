"""Where a run keeps its state and its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...exceptions import ConfigurationError

if TYPE_CHECKING:
    import os

    from ..params import BatchParams


@dataclass(frozen=True, slots=True)
class RunPlaces:
    """Absolute paths of what a run keeps; None for what it does not.

    They begin where the program is when this is made: wherever it goes later, the run stays with
    its own files.
    """

    state_file: Path | None
    results_dir: Path | None

    @classmethod
    def of(cls, params: BatchParams) -> RunPlaces:
        """Return those that the parameters name.

        Raises:
            ConfigurationError: if nobody can tell where a path leads.
        """
        return cls(
            _absolute("state_file", params.state_file),
            _absolute("results_dir", params.results_dir),
        )


def _absolute(name: str, path: str | os.PathLike[str] | None) -> Path | None:
    if path is None:
        return None
    try:
        return Path(path).expanduser().absolute()
    except (OSError, RuntimeError) as error:  # no current directory, or no such user
        raise ConfigurationError(
            f"{name} {str(path)!r} leads nowhere ({error}). Name an absolute path."
        ) from error
