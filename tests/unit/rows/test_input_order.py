"""Results put back into the order of their rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from batch_llm.rows.input_order import InputOrder
from batch_llm.rows.result_row import ResultRow


def row(position: int) -> ResultRow:
    return ResultRow(id=str(position), line=position, status="succeeded")


@given(arrivals=st.permutations(range(8)))
def test_every_result_goes_on_once_and_in_order(arrivals: list[int | None]) -> None:
    order = InputOrder()
    gone: list[int | None] = []
    for count, position in enumerate(arrivals, start=1):
        gone += [each.line for each in order.arrive(position, row(position))]
        # Nothing waits that need not: all before the first gap have gone on.
        have_come = set(arrivals[:count])
        assert len(gone) == next(n for n in range(9) if n not in have_come)
    assert gone == list(range(8))
    assert list(order.release()) == []


def test_what_is_held_is_released_in_order() -> None:
    order = InputOrder()
    for position in (7, 3, 5):
        assert list(order.arrive(position, row(position))) == []

    assert [each.line for each in order.release()] == [3, 5, 7]
