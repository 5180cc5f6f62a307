"""Groups, and what follows a failed one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from batch_llm.files import GroupWriter
from batch_llm.ledger.entry import CallSettled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from batch_llm.ledger.entry import Entry


async def test_what_comes_in_one_turn_is_one_group() -> None:
    groups: list[int] = []
    writer = GroupWriter(lambda entries: groups.append(len(entries)), lambda error: error)
    writer.add(CallSettled(0, 0.0))
    await asyncio.gather(*(writer.add_awaited(CallSettled(n, 0.0)) for n in range(1, 5)))
    await writer.add_awaited(CallSettled(5, 0.0))
    await writer.aclose()
    assert groups == [5, 1]


def test_after_a_failure_that_the_loop_never_heard_of_nothing_is_written() -> None:
    groups: list[Sequence[Entry]] = []

    def write(entries: Sequence[Entry]) -> None:
        groups.append(entries)
        raise OSError(28, "full")

    writer = GroupWriter(write, lambda error: RuntimeError(str(error)))
    loop = asyncio.new_event_loop()
    loop.call_soon(writer.add, CallSettled(1, 0.0))
    loop.call_soon(loop.call_soon, loop.call_soon, writer.add, CallSettled(2, 0.0))
    loop.call_soon(loop.call_soon, loop.call_soon, loop.stop)
    loop.run_forever()
    loop.close()
    with pytest.raises(RuntimeError, match="full"):
        asyncio.run(writer.aclose())
    assert groups == [[CallSettled(1, 0.0)]]
