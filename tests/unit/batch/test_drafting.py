"""The order in which drafts are made."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from batch_llm.batch.chunks.chunking import Chunk
from batch_llm.batch.chunks.drafting import Drafting
from batch_llm.batch.chunks.drafts import Draft

if TYPE_CHECKING:
    from collections.abc import Iterator


def drafts(*names: str) -> Iterator[Draft]:
    return (Draft(Chunk("mock", name, "chat", [], 0, 0)) for name in names)


async def made(drafting: Drafting, number: int = 1) -> list[str]:
    for _ in range(number):
        drafting.make_next()
        while drafting.is_at_work:
            await asyncio.sleep(0)
            drafting.take_made()
    return [draft.chunk.model for draft in drafting.waiting]


@pytest.fixture
def drafting() -> Drafting:
    return Drafting(drafts("1", "2", "3"), lambda: None)


async def test_what_follows_is_made_last(drafting: Drafting) -> None:
    drafting.follow_with(drafts("4"))
    assert await made(drafting, 6) == ["1", "2", "3", "4"]


async def test_parts_go_before_all_others_and_before_those_that_wait(drafting: Drafting) -> None:
    assert await made(drafting) == ["1"]
    drafting.go_on_with([drafts("a"), drafts("b")])
    assert await made(drafting, 12) == ["a", "b", "1", "2", "3"]


async def test_parts_of_parts_go_first(drafting: Drafting) -> None:
    drafting.go_on_with([drafts("a"), drafts("b")])
    drafting.take_made()
    assert await made(drafting) == ["a"]
    drafting.waiting.clear()
    drafting.go_on_with([drafts("a1"), drafts("a2")])
    drafting.take_made()
    assert await made(drafting, 12) == ["a1", "a2", "b", "1", "2", "3"]


async def test_what_is_being_made_waits_behind_parts_that_came_meanwhile(
    drafting: Drafting,
) -> None:
    drafting.make_next()
    drafting.go_on_with([drafts("a")])
    drafting.take_made()
    assert drafting.is_at_work
    while drafting.is_at_work:
        await asyncio.sleep(0)
        drafting.take_made()
    assert drafting.waiting == []
    assert await made(drafting, 12) == ["a", "1", "2", "3"]
