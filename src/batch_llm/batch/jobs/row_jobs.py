"""Jobs of the rows of a table."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...base import Job
from ...exceptions import ConfigurationError
from ...rows.formats import format_of
from ...rows.frames import columns_of, table_rows
from ...rows.identity import IdRule
from ...rows.plan import RowPlan
from ...rows.source import open_source
from ...rows.template import PromptTemplate
from ...rows.work import check_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Self

    from ...rows.frames import Rows
    from ...rows.row import BrokenRow, Row
    from .job_list import JobList
    from .job_settings import SettingValues

logger = logging.getLogger("batch_llm")


@dataclass(frozen=True, slots=True)
class RowJobs:
    """What is asked of each row of a table.

    Attributes:
        plan: makes a text of a row.
        embeds: whether that text is to be embedded; else it is a prompt.
    """

    plan: RowPlan
    embeds: bool

    @classmethod
    def of(cls, prompt: str | None, text: str | None, id_field: str | None) -> Self:
        """Return what one of two templates asks, as `Batch.add_jobs` takes them.

        Raises:
            ConfigurationError: if there is not one template, or it cannot work.
        """
        if (prompt is None) == (text is None):
            raise ConfigurationError("add_jobs takes a template: either prompt or text, and one.")
        plan = RowPlan(PromptTemplate(text or prompt or ""), IdRule(id_field))
        return cls(plan, text is not None)

    def add_to(
        self,
        jobs: JobList,
        rows: Rows | str | os.PathLike[str],
        settings: SettingValues,
        check: Callable[[Job], None],
    ) -> None:
        """Add a job for each row, or the result of a row that makes none.

        Args:
            jobs: is left half filled by an error.
            rows: as `Batch.add_jobs` takes them.
            settings: of each job.
            check: refuses a job that cannot be sent.

        Raises:
            InputError: if `rows` is no source of rows, or tells that it has no such column.
            JobError: if two jobs have one id, or `check` refuses one.
            ConfigurationError: if the file or a setting cannot work.
        """
        with _opened(rows, self.plan) as found:
            for entry in self.plan.entries(found):
                if entry.prompt is None:
                    jobs.refuse(entry)
                    continue
                job = self._job(entry.own_id, entry.prompt, settings)
                check(job)
                jobs.add(job, entry.own_id)

    def _job(self, own_id: str | None, text: str, settings: SettingValues) -> Job:
        if self.embeds:
            return Job(own_id, text=text, **settings)
        return Job(own_id, prompt=text, **settings)


def tell_of_refused(jobs: JobList) -> None:
    """Warn of rows that make no job."""
    if jobs.refused:
        logger.warning(
            "%d of %d rows make no job; Batch.refused tells why.",
            len(jobs.refused),
            len(jobs.refused) + len(jobs.jobs),
        )


@contextmanager
def _opened(
    rows: Rows | str | os.PathLike[str], plan: RowPlan
) -> Iterator[Iterable[Row | BrokenRow]]:
    if isinstance(rows, (str, os.PathLike)):
        path = Path(rows)
        with open_source(path, format_of(path)) as source:
            yield source
    else:
        check_columns(columns_of(rows) or _names_in(rows), plan)
        yield table_rows(rows)


def _names_in(rows: object) -> tuple[str, ...] | None:
    """Return the names of all fields that a list of mappings has; None where nobody can tell."""
    if not isinstance(rows, list):
        return None
    names = dict.fromkeys(name for row in rows if isinstance(row, Mapping) for name in row)
    return tuple(map(str, names)) or None
