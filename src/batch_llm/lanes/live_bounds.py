"""Whether it can be told what a job costs live at the most."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..base import TokenBound
from ..base.job_file import TEXT, media_type_of
from ..pricing import most_usd

if TYPE_CHECKING:
    from ..base import Job, RequestStrategy

_ONE_TOKEN = TokenBound(1, 1)


def why_unbounded(job: Job, strategy: RequestStrategy[Any]) -> str | None:
    """Return why a limit in USD cannot be kept for a job; None where it can.

    Of a file the beginning is read.

    Raises:
        InputError: if that cannot be read.
    """
    priced = strategy.priced_as
    if priced is None or most_usd(priced, _ONE_TOKEN) is None:
        return "a limit in USD cannot be kept for it: the price of live calls is not known."
    if _has_more_than_text(job):
        return (
            "a limit in USD cannot be kept for it: only the provider can count the tokens of an "
            "image or a PDF in a live call."
        )
    return None


def _has_more_than_text(job: Job) -> bool:
    if job.file is not None:
        return media_type_of(job.file) != TEXT
    contents = [turn.get("content") for turn in job.messages or ()]
    parts = [part for content in contents if isinstance(content, list) for part in content]
    return any(part.get("type") != "text" for part in parts)
