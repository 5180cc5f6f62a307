"""Names of jobs, and the names under which a provider knows them."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

from ..exceptions import ConfigurationError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_NONCE: Final = re.compile(r"[a-z0-9]{8,32}")
_NONCE_BYTES: Final = 8
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,8}")


def new_nonce() -> str:
    """Return a name that no other run has: 16 hexadecimal digits."""
    return secrets.token_hex(_NONCE_BYTES)


class CustomIds:
    """The ids of one chunk's jobs, and the ids that are sent for them: one for one, both ways.

    It is made again from the same two arguments, so that a state has to keep no more than these.

    Args:
        job_ids: in the order of the chunk, each once.
        nonce: None sends the jobs' own ids. With one, `NONCE-NUMBER` is sent, the number being
            the job's place: an id that every provider takes, and that proves whose batch it is.

    Raises:
        InputError: for an id that is there twice.
        ConfigurationError: for a nonce that is not 8 to 32 small letters and digits.
    """

    __slots__ = ("_job_ids", "_places", "nonce")

    def __init__(self, job_ids: Iterable[str], nonce: str | None = None) -> None:
        if nonce is not None and not _NONCE.fullmatch(nonce):
            raise ConfigurationError(
                f"A nonce is 8 to 32 small letters and digits, not {nonce!r:.40}."
            )
        self.nonce = nonce
        self._job_ids = tuple(job_ids)
        self._places = {job_id: place for place, job_id in enumerate(self._job_ids)}
        if len(self._places) < len(self._job_ids):
            raise InputError(f"The job id {_first_repeated(self._job_ids)!r} is there twice.")

    def __len__(self) -> int:
        return len(self._job_ids)

    def __iter__(self) -> Iterator[str]:
        return iter(self._job_ids)

    def sent_for(self, job_id: str) -> str:
        """Return the id that the provider is given for a job.

        Raises:
            InputError: for a job that is not of this chunk.
        """
        place = self._places.get(job_id)
        if place is None:
            raise InputError(f"The job {job_id!r} is not one of this chunk.")
        return job_id if self.nonce is None else f"{self.nonce}-{place}"

    def job_of(self, sent_id: str) -> str | None:
        """Return the job that the provider was given `sent_id` for; None for no job of these."""
        if self.nonce is None:
            return sent_id if sent_id in self._places else None
        nonce, _, number = sent_id.rpartition("-")
        if nonce != self.nonce or not _NUMBER.fullmatch(number):
            return None
        place = int(number)
        return self._job_ids[place] if place < len(self._job_ids) else None


def carries_nonce(sent_id: str, nonce: str) -> bool:
    """Return whether an id was sent by the run of this nonce."""
    stated, dash, number = sent_id.rpartition("-")
    return bool(dash) and stated == nonce and _NUMBER.fullmatch(number) is not None


def _first_repeated(ids: tuple[str, ...]) -> str:
    seen: set[str] = set()
    return next(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]  # add gives None, which is false
