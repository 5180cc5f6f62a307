"""Files that a run keeps: private, of one process at a time, and whole after any crash."""

from .group_writer import GroupWriter
from .kind import FileKind
from .lines import cut_torn_line, raw_lines, upgraded_lines
from .lock import PathLock, hold_file, holder_of, let_go
from .private import PRIVATE, Place, create_private, open_private, replace_file, sync_directory

__all__ = [
    "PRIVATE",
    "FileKind",
    "GroupWriter",
    "PathLock",
    "Place",
    "create_private",
    "cut_torn_line",
    "hold_file",
    "holder_of",
    "let_go",
    "open_private",
    "raw_lines",
    "replace_file",
    "sync_directory",
    "upgraded_lines",
]
