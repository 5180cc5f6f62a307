"""The place of a run's state where nobody has named one."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..results.result_files import ResultFiles
    from ..state.journal import Journal

logger = logging.getLogger("batch_llm")


class ScratchState:
    """A state in a temporary folder, which goes with its run unless it is needed yet.

    It is while remote batches may be at work that nobody has collected: they are paid for, and
    only the state knows of them. So it is where files of results could not be written.

    Attributes:
        path: of the state.
        journal: the state, once it was opened.
        files: of results, then; None where there are none.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="batch-llm-")).absolute()
        self._has_warned = False
        self.path = self._folder / "batch_state.jsonl"
        self.journal: Journal | None = None
        self.files: ResultFiles | None = None

    def keep_or_remove(self) -> None:
        """Remove the folder, where nothing is left to collect; else say where it is."""
        if self._is_needed():
            self.warn()
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def warn(self) -> None:
        """Say once where the state is, if anything is left to collect or to write."""
        if self._has_warned or not self._is_needed():
            return
        self._has_warned = True
        if not self._has_batches():
            logger.warning(
                "Files of results could not be written, and no state_file was given: the state, "
                "which has the results, is kept in %s. Batch(state_file=%r, results_dir=…).run() "
                "writes them.",
                self.path,
                str(self.path),
            )
            return
        logger.warning(
            "Batches are at their providers whose results were not collected, and no state_file "
            "was given: their state is kept in %s. Batch(state_file=%r).run() goes on with it; "
            "without it, the same jobs are submitted and paid for again.",
            self.path,
            str(self.path),
        )

    def _is_needed(self) -> bool:
        return self._has_batches() or (self.files is not None and self.files.lacks_some)

    def _has_batches(self) -> bool:
        # Without a lock: the program may be ending while the run's thread holds it.
        journal = self.journal
        return journal is not None and (
            bool(journal.state.open_chunks) or (journal.is_open and journal.state.pending > 0)
        )
