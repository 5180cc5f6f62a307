"""Remote batches of jobs that were sent again, since nobody had seen that they were taken."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from ...exceptions import ProviderError
from ...providers.orphan import Found
from .batch_name import batch_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...providers import BatchClient
    from ...providers.chunk import Intent
    from ..state.journal import Journal
    from ..state.run_state import ChunkState

logger = logging.getLogger("batch_llm")

_TIMES_GRACE: Final = 10


class Doubles:
    """Looks on for batches of earlier submissions of a chunk, and has those stop that turn up.

    After the time of grace a batch that was not listed is believed not to be there, and its jobs
    go again. Where the list lags behind for longer, both run.

    Args:
        chunk: that goes again, and has its batch.
        journal: of the run.
        client: of the provider.
        intent: returns that of the submission of a nonce.
        grace_seconds: how long a batch is looked for before its jobs go again.
    """

    def __init__(
        self,
        chunk: ChunkState,
        journal: Journal,
        client: BatchClient,
        intent: Callable[[str], Intent],
        grace_seconds: float,
    ) -> None:
        self._chunk = chunk
        self._journal = journal
        self._client = client
        self._intent = intent
        self._until = time.monotonic() + _TIMES_GRACE * grace_seconds
        self._found = set[str]()

    async def look(self, *, is_last: bool) -> None:
        """Look, for ten times the time of grace and once more at the end; a failure is passed over.

        Args:
            is_last: whether the chunk's batch has ended.
        """
        if not is_last and time.monotonic() > self._until:
            return
        known = {name for each in self._journal.state.chunks for name in each.remote_ids}
        for nonce in self._chunk.nonces:
            if nonce == self._chunk.nonce:
                continue
            with suppress(ProviderError):
                intent = self._intent(nonce)
                found = await self._client.find_orphan(intent, known | self._found)
                if isinstance(found, Found):
                    self._found.add(found.remote_id)
                    await self._stop(found.remote_id, intent)

    async def _stop(self, remote_id: str, intent: Intent) -> None:
        said = (
            f"the provider has listed the batch {remote_id} so late that its jobs were sent again. "
            f"It is cancelled; what it has run by then may be billed, and is not counted here"
        )
        name = batch_name(self._chunk, intent.job_ids)
        logger.warning("%s: %s. A larger orphan_grace_seconds avoids that.", name, said)
        self._journal.note(f"{name}: {said}.")
        await self._client.cancel(remote_id)
