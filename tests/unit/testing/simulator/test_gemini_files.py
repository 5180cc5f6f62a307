"""The store of Gemini's files, and the names that files can have."""

from __future__ import annotations

import pytest

from batch_llm.testing.simulator.gemini.file_store import (
    LIFE_SECONDS,
    VIDEO_SECONDS,
    FileStore,
    is_id,
)
from batch_llm.testing.simulator.settings import SimulatorSettings
from batch_llm.testing.simulator.world import World

SLOW = 1e-6


@pytest.fixture
def world() -> World:
    return World(SimulatorSettings(speed=SLOW))


@pytest.fixture
def store(world: World) -> FileStore:
    return FileStore(world)


@pytest.mark.parametrize("name", ["a", "7", "a-b", "a--b", "a" * 40])
def test_these_are_ids(name: str) -> None:
    assert is_id(name)


@pytest.mark.parametrize("name", ["", "-", "-a", "a-", "A", "a_b", "a b", "a" * 41, "ä", "a\n"])
def test_these_are_none(name: str) -> None:
    assert not is_id(name)


def test_a_new_id_is_one_that_a_client_might_choose(store: FileStore) -> None:
    files = [store.add("key", b"", "text/plain") for _ in range(100)]
    assert all(is_id(file.id) for file in files)
    assert len({file.id for file in files}) == 100


def test_one_seed_makes_the_same_ids() -> None:
    def ids() -> list[str]:
        store = FileStore(World(SimulatorSettings(seed=7)))
        return [store.add("key", b"", "text/plain").id for _ in range(3)]

    assert ids() == ids()


def test_a_video_is_ready_later(world: World, store: FileStore) -> None:
    film, text = store.add("key", b"", "video/mp4"), store.add("key", b"", "text/plain")
    now = world.clock.now()
    assert (film.state(now), text.state(now)) == ("PROCESSING", "ACTIVE")
    assert film.state(now + VIDEO_SECONDS) == "ACTIVE"


def test_what_has_expired_is_forgotten(world: World, store: FileStore) -> None:
    store.add("key", b"old", "text/plain", file_id="old")
    world.clock.advance(LIFE_SECONDS / 2)
    store.add("key", b"new", "text/plain", file_id="new")
    world.clock.advance(LIFE_SECONDS / 2 + 1)
    assert store.get("key", "old") is None
    assert not store.is_taken("old")
    assert store.get("key", "new") is not None
    now = world.clock.now()
    assert [file.id for file in store.newest_first("key", now)] == ["new"]


def test_an_id_that_was_given_anew_outlives_the_first_that_had_it(
    world: World, store: FileStore
) -> None:
    store.add("key", b"first", "text/plain", file_id="one")
    store.delete("key", "one")
    world.clock.advance(LIFE_SECONDS / 2)
    store.add("key", b"second", "text/plain", file_id="one")
    world.clock.advance(LIFE_SECONDS / 2 + 1)
    kept = store.get("key", "one")
    assert kept is not None
    assert kept.content == b"second"


def test_only_the_key_that_made_a_file_can_take_it_away(store: FileStore) -> None:
    store.add("key", b"", "text/plain", file_id="one")
    assert store.delete("other", "one") is None
    assert store.is_taken("one")
    assert store.delete("key", "one") is not None
    assert not store.is_taken("one")
