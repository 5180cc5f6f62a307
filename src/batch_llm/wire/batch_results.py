"""The results of a remote batch, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..exceptions import MalformedAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .batch_item import BatchAnswer
    from .custom_ids import CustomIds

UNMATCHED_RESULTS: Final = "unmatched_results"
"""Code of the error for results that can be given to no job."""

_NAMED: Final = 5


class ResultReader:
    """Gives each result to its job, by id and never by place.

    Args:
        decode: reads a line; its answer's `custom_id` is the one that was sent.
        custom_ids: of the jobs of the batch.

    A result that cannot be given to a job is not dropped in silence: `check` raises for all of
    them, once the others were read.
    """

    def __init__(self, decode: Callable[[bytes], BatchAnswer], custom_ids: CustomIds) -> None:
        self._decode = decode
        self._custom_ids = custom_ids
        self._number = 0
        self._unmatched: list[int] = []

    def read(self, line: bytes) -> BatchAnswer | None:
        """Return the answer in a line, under its job's id; None for a blank or unmatched one."""
        if not line or line.isspace():
            return None
        self._number += 1
        try:
            answer = self._decode(line)
        except MalformedAnswerError:
            self._unmatched.append(self._number)
            return None
        job_id = self._custom_ids.job_of(answer.custom_id)
        if job_id is None:
            self._unmatched.append(self._number)
            return None
        answer.custom_id = job_id
        return answer

    def check(self, remote_id: str) -> None:
        """Refuse results of which some belong to no job.

        Raises:
            MalformedAnswerError: of the code `UNMATCHED_RESULTS`.
        """
        places = self._unmatched
        if not places:
            return
        more = ", …" if len(places) > _NAMED else ""
        named = ", ".join(map(str, places[:_NAMED])) + more
        raise MalformedAnswerError(
            f"{len(places)} of {self._number} results of {remote_id} can be given to no job: they "
            f"cannot be read, or name no job of this batch (results {named}). The jobs without "
            f"a result are not known by their place: look at the provider's own output.",
            code=UNMATCHED_RESULTS,
        )


def decode_results(
    lines: Iterable[bytes],
    decode: Callable[[bytes], BatchAnswer],
    custom_ids: CustomIds,
    remote_id: str = "the batch",
) -> Iterator[BatchAnswer]:
    """Yield the answers in `lines`, under the ids of their jobs.

    Raises:
        MalformedAnswerError: at the end, if there were lines that belong to no job.
    """
    reader = ResultReader(decode, custom_ids)
    for line in lines:
        answer = reader.read(line)
        if answer is not None:
            yield answer
    reader.check(remote_id)
