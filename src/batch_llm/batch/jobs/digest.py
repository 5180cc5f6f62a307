"""What tells whether a job is still the same."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ...base import Job

UNKNOWN_DIGEST: Final = "0" * 32
"""Of a job that is known by its result alone: any job of its id is the same."""


def digest_of(job: Job) -> str:
    """Return what tells whether a job is the same: files count by what is in them.

    Raises:
        JobError: if its file cannot be read.
    """
    content = job.file_digest()
    if content is None:
        return job.digest()
    return hashlib.blake2b((job.digest() + content).encode(), digest_size=16).hexdigest()
