"""The list of remote batches, as far as it is read for an orphan."""

from __future__ import annotations

import pytest

from batch_llm.providers.base import walk_pages
from batch_llm.wire.remote_status import RemotePage, RemoteStatus


@pytest.mark.parametrize("tells", [True, False], ids=["with a date", "without one"])
async def test_a_list_is_left_only_by_the_clock_of_the_provider(tells: bool) -> None:
    now, day = 1_000 * 86_400.0, 86_400.0
    made = [RemoteStatus(id=f"{n}", state="ended", created_at=now - n * 10 * day) for n in range(6)]

    async def page(cursor: str | None) -> RemotePage:
        n = int(cursor or 0)
        following = str(n + 1) if n + 1 < len(made) else None
        return RemotePage((made[n],), following, told_at=now if tells else None)

    walked = [each.id async for each in walk_pages(page, now + 50 * day)]
    assert walked == (["0", "1", "2"] if tells else [each.id for each in made])
