"""Uploads in pieces that were started and never finished: they are forgotten."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from batch_llm.testing.simulator.exchange import Request
from batch_llm.testing.simulator.gemini.dialect import GeminiDialect
from batch_llm.testing.simulator.gemini.file_store import FileStore
from batch_llm.testing.simulator.gemini.upload import Uploads
from batch_llm.testing.simulator.settings import SimulatorSettings
from batch_llm.testing.simulator.world import World

DAY = 24 * 3_600
MOST = 900


@pytest.fixture
def world() -> World:
    return World(SimulatorSettings(speed=1e-6))


@pytest.fixture
def uploads(world: World) -> Uploads:
    return Uploads(world, GeminiDialect(), FileStore(world))


def request_of(command: str, query: dict[str, str]) -> Request:
    headers = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": "0"}
    path = "/upload/v1beta/files"
    return Request("POST", path, headers, query=query, params={"version": "v1beta"}, key="key")


async def started(uploads: Uploads) -> str:
    response = await uploads.upload(request_of("start", {}))
    query = parse_qs(urlsplit(response.headers["X-Goog-Upload-URL"]).query)
    return query["upload_id"][0]


async def is_known(uploads: Uploads, identifier: str) -> bool:
    response = await uploads.upload(request_of("query", {"upload_id": identifier}))
    return response.status == 200


async def test_after_a_day(world: World, uploads: Uploads) -> None:
    old = await started(uploads)
    world.clock.advance(DAY / 2)
    newer = await started(uploads)
    assert await is_known(uploads, old)
    world.clock.advance(DAY / 2 + 1)
    await started(uploads)
    assert not await is_known(uploads, old)
    assert await is_known(uploads, newer)


async def test_the_oldest_of_very_many(uploads: Uploads) -> None:
    first, second = await started(uploads), await started(uploads)
    for _ in range(MOST - 2):
        await started(uploads)
    assert await is_known(uploads, first)
    last = await started(uploads)
    assert not await is_known(uploads, first)
    assert await is_known(uploads, second)
    assert await is_known(uploads, last)
