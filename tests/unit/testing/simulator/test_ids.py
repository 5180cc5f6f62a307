"""Names of things: none comes twice, and one seed makes the same ones."""

from __future__ import annotations

import re

import pytest

from batch_llm.testing.simulator.ids import Ids


@pytest.mark.parametrize("length", [1, 7, 24, 32])
def test_their_form(length: int) -> None:
    ids = Ids()
    assert re.fullmatch(rf"msg_[0-9a-f]{{{length}}}", ids.hexadecimal("msg_", length))
    assert re.fullmatch(rf"file-[0-9A-Za-z]{{{length}}}", ids.letters("file-", length))


def test_none_comes_twice() -> None:
    ids = Ids()
    names = [ids.letters() for _ in range(5_000)] + [ids.hexadecimal() for _ in range(5_000)]
    assert len(set(names)) == 10_000


def test_one_seed_makes_the_same_names_in_the_same_order() -> None:
    first, second, other = Ids(3), Ids("3"), Ids(4)
    names = [first.letters("a"), first.hexadecimal("b")]
    assert names == [second.letters("a"), second.hexadecimal("b")]
    assert names != [other.letters("a"), other.hexadecimal("b")]
