"""The shelf: things by id, for their own key, newest first."""

from __future__ import annotations

from batch_llm.testing.simulator.shelf import Shelf


def filled() -> Shelf[str]:
    shelf: Shelf[str] = Shelf()
    shelf.put("one", "a", 10.0, "apple")
    shelf.put("two", "b", 20.0, "bread")
    shelf.put("one", "c", 30.0, "cherry")
    return shelf


def test_a_thing_is_seen_by_its_own_key_alone() -> None:
    shelf = filled()
    assert shelf.get("one", "a") == "apple"
    assert shelf.get("two", "a") is None
    assert shelf.get("one", "none") is None


def test_only_its_own_key_takes_a_thing_away() -> None:
    shelf = filled()
    assert shelf.delete("two", "a") is None
    assert shelf.delete("one", "a") == "apple"
    assert shelf.delete("one", "a") is None
    assert sorted(shelf) == ["bread", "cherry"]
    assert len(shelf) == 2


def test_lists_are_newest_first_and_end_at_a_moment() -> None:
    shelf = filled()
    assert shelf.newest_first("one", 30.0) == [("c", "cherry"), ("a", "apple")]
    assert shelf.newest_first("one", 29.9) == [("a", "apple")]
    assert shelf.newest_first("two", 10.0) == []
