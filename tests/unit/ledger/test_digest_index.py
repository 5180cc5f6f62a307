"""Where a digest's line begins."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_llm.ledger.digest_index import DigestIndex


@given(st.lists(st.tuples(st.binary(min_size=8, max_size=8), st.integers(0, 2**62)), max_size=40))
def test_it_finds_what_was_put_last_and_nothing_else(puts: list[tuple[bytes, int]]) -> None:
    index, known = DigestIndex(), dict[bytes, int]()
    for digest, number in puts:
        index.put(digest, number)
        known[digest] = number
    assert len(index) == len(known)
    assert {digest: index.find(digest) for digest in known} == known
    others = {(digest[0] ^ 1).to_bytes() + digest[1:] for digest in known} - set(known)
    assert [index.find(other) for other in others] == [None] * len(others)


def test_it_grows() -> None:
    index = DigestIndex()
    for number in range(5_000):
        # All begin in one slot of a small table.
        index.put((number << 20).to_bytes(8, "little"), number)
    found = [index.find((number << 20).to_bytes(8, "little")) for number in range(5_000)]
    assert found == list(range(5_000))
