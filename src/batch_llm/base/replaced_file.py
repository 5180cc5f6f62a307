"""A file that is there in whole, or as it was before."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def replaced_file(path: str | os.PathLike[str], *, is_private: bool = False) -> Iterator[BinaryIO]:
    """Open a file beside `path`, which takes its place once the block has ended well.

    It gets the permissions of the file that it replaces, and of a new one what the umask leaves: a
    file that the user names is shared as the user's other files are. Symbolic links stay. What is
    no regular file, such as a named pipe, is written to directly.

    Args:
        path: the file.
        is_private: whether its owner alone may read it, whatever was there before.

    Raises:
        OSError: if it cannot be written, naming `path`, which is then as it was.
    """
    target = Path(path).resolve()
    if target.exists() and not target.is_file():
        with target.open("wb") as stream:
            yield stream
        return
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}")
    try:
        with _opened(beside, path, is_private=is_private) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        if target.exists() and not is_private:
            beside.chmod(target.stat().st_mode & 0o7777)
        beside.replace(target)
    finally:
        beside.unlink(missing_ok=True)


def _opened(beside: Path, path: str | os.PathLike[str], *, is_private: bool) -> BinaryIO:
    rights = 0o600 if is_private else 0o666
    try:
        return open(beside, "xb", opener=lambda name, flags: os.open(name, flags, rights))
    except OSError as error:
        # The caller knows nothing of the file beside its own.
        raise OSError(error.errno, error.strerror, os.fspath(path)) from None
