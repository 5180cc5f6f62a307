"""Who holds a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from batch_llm.exceptions import StateError
from batch_llm.files import FileKind, PathLock, holder_of

KIND = FileKind("batch state", StateError)


def test_a_lock_names_its_process_until_it_is_closed(tmp_path: Path) -> None:
    place = tmp_path / "state"
    assert holder_of(place) is None
    lock = PathLock(place, KIND)
    assert holder_of(place) == os.getpid()
    with pytest.raises(StateError, match="another run of this process"):
        PathLock(place, KIND)
    lock.close()
    assert holder_of(place) is None


@pytest.mark.skipif(sys.platform == "win32", reason="locks cannot be asked there")
def test_a_number_that_a_killed_process_left_behind_is_nobody(tmp_path: Path) -> None:
    place = tmp_path / "state"
    # By now it is that of a process which has nothing to do with the file.
    Path(f"{place}.lock").write_text(f"{os.getppid()}\n")
    assert holder_of(place) is None
    PathLock(place, KIND).close()
