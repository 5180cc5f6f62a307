"""A batch that a provider may have taken, and whose id was never written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from ..wire.remote_status import RemoteStatus
    from .chunk import Intent


@dataclass(frozen=True, slots=True)
class Found:
    """The batch of the intent is there: adopt it, and create nothing.

    Attributes:
        remote_id: the provider's name of it.
    """

    remote_id: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """No batch is of the intent, as far as the provider's list tells today.

    Lists lag behind creates: only one that says so after a time of grace is to be believed.
    """


@dataclass(frozen=True, slots=True)
class Unprovable:
    """A batch may be of the intent, and nothing can prove it yet: wait, and create nothing.

    Attributes:
        reason: why it cannot be told, for a person.
        candidates: ids of the batches that it may be; without one, nothing will ever prove it.
    """

    reason: str
    candidates: tuple[str, ...]


Orphan: TypeAlias = Found | NotFound | Unprovable
"""What a search for the batch of an intent brings."""


async def found_by_name(
    batches: AsyncIterator[RemoteStatus],
    intent: Intent,
    known_ids: Collection[str],
    handle: str | None,
) -> Found | NotFound:
    """Look for the batch of an intent where the provider keeps a name of ours, or the input file.

    Args:
        batches: that may be of the intent.
        intent: its nonce is the name.
        known_ids: of the remote batches that are known already.
        handle: of the uploaded file, where it is known.
    """
    async for status in batches:
        is_of_file = handle is not None and handle in status.inputs
        if (status.name == intent.nonce or is_of_file) and status.id not in known_ids:
            return Found(status.id)
    return NotFound()
