"""Requests that travel in one remote batch, and the written intent to send them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..exceptions import ConfigurationError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire.batch_item import BatchRequestLine
    from ..wire.custom_ids import CustomIds


@dataclass(frozen=True, slots=True)
class ChunkLimits:
    """The most that one remote batch holds.

    Attributes:
        requests: of them.
        body_bytes: of what is sent.
    """

    requests: int
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """Requests that travel in one remote batch: of one model, to one endpoint.

    Attributes:
        model: the model, as the provider names it.
        endpoint: one of `BatchClient.endpoints`.
        lines: the requests, in the order of `custom_ids`. They may be read several times, in
            another thread, and must give the same each time.
        custom_ids: of the jobs, from `BatchClient.custom_ids`.
    """

    model: str
    endpoint: str
    lines: Iterable[BatchRequestLine] = field(repr=False)
    custom_ids: CustomIds = field(repr=False)

    def __post_init__(self) -> None:
        if iter(self.lines) is self.lines:
            raise ConfigurationError(
                "Chunk.lines can be read only once. Give a list, or an object whose __iter__ "
                "begins anew each time: an upload may have to be repeated."
            )
        if not len(self.custom_ids):
            raise InputError("A chunk needs at least one request.")


@dataclass(frozen=True, slots=True)
class Intent:
    """That a chunk is about to be created: written down before, it proves whose batch it is.

    Attributes:
        nonce: from `new_nonce`, a new one for each create.
        requests: how many the chunk has.
        written_at: unix seconds.
        job_ids: of the chunk, where a client may want them to look for its batch.
    """

    nonce: str
    requests: int
    written_at: float
    job_ids: tuple[str, ...] = field(default=(), repr=False)
