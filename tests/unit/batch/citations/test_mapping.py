from __future__ import annotations

import datetime
import enum
from decimal import Decimal
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from batch_llm.base.citation import Citation
from batch_llm.batch.citations import CitedText, map_citations


def cite(text: str, at: int = 0) -> Citation:
    return Citation(text, 0, None, "char", at, at + len(text))


def quoted(answer: Any, *texts: str) -> dict[str, list[str]]:
    mapped = map_citations(answer, [cite(text, 1000 * at) for at, text in enumerate(texts)])
    return {
        path: [one.citation.cited_text[one.start : one.end] for one in cited]
        for path, cited in mapped.items()
    }


class Status(enum.Enum):
    MOVING = "in_transit"


class Item(BaseModel):
    sku: str
    price: Decimal
    pieces: int


class Parcel(BaseModel):
    status: Status
    kind: Literal["express", "normal"]
    items: list[Item]
    sent: datetime.datetime
    is_insured: bool
    note: str | None = None


def test_fields_of_models_are_found_in_lists_and_enums_too() -> None:
    parcel = Parcel(
        status=Status.MOVING,
        kind="express",
        items=[
            Item(sku="A-1", price=Decimal("9.99"), pieces=3),
            Item(sku="A-2", price=Decimal("9.99"), pieces=4),
        ],
        sent=datetime.datetime(2024, 5, 5, 14, 30),
        is_insured=True,
    )
    assert quoted(
        parcel,
        "Status: In transit. Kind: express. Sent on 5 May 2024. Insured: True",
        "A-1: 3 pieces at 9.99",
        "A-2: 4 pieces at 9.99",
    ) == {
        "status": ["In transit"],
        "kind": ["express"],
        "items.0.sku": ["A-1"],
        "items.0.price": ["9.99"],
        "items.0.pieces": ["3"],
        "items.1.sku": ["A-2"],
        "items.1.price": ["9.99"],
        "items.1.pieces": ["4"],
        "sent": ["5 May 2024"],
    }


def test_each_row_of_a_list_has_its_own_passage() -> None:
    mapped = map_citations(
        {"items": [{"name": "Bolts", "price": 4.99}, {"name": "Nails", "price": 4.99}]},
        [first := cite("Bolts 4.99"), second := cite("Nails 4.99", 50)],
    )
    assert [one.citation for one in mapped["items.0.price"]] == [first]
    assert [one.citation for one in mapped["items.1.price"]] == [second]


def test_a_common_number_needs_words_of_its_field() -> None:
    assert quoted({"boxes": 12, "pallets": 12}, "There are 12 boxes.") == {"boxes": ["12"]}


def test_numbers_of_other_fields_are_not_taken() -> None:
    assert quoted({"floors": 3, "elevators": 12}, "It has 3 elevators. Floors: 12") == {}
    assert quoted({"tax": 1500, "total": 150}, "Total $1,500.00", "Tax $150.00") == {}


def test_a_value_in_two_passages_is_of_neither() -> None:
    assert quoted({"second": 75.25}, "Paid 75.25 on Monday", "Paid 75.25 on Tuesday") == {}


def test_both_passages_that_name_the_field_support_it() -> None:
    assert quoted({"total": 75.25}, "Total: 75.25", "The total is 75.25") == {
        "total": ["75.25"] * 2
    }


def test_the_model_itself_tells_which_passage_it_read() -> None:
    first, second = cite("Amount: 300.00"), cite("Amount: 300.00, refundable", 100)
    blocks = [CitedText('{"rent": 300.0,', (first,)), CitedText('"deposit": 300.0}', (second,))]
    mapped = map_citations({"rent": 300.0, "deposit": 300.0}, [], blocks=blocks)
    assert [one.citation for one in mapped["rent"]] == [first]
    assert [one.citation for one in mapped["deposit"]] == [second]


def test_items_that_nothing_tells_apart_are_taken_in_order() -> None:
    first, second = cite("Fee 75.25"), cite("Fee 75.25 again", 100)
    mapped = map_citations({"paid": [75.25, 75.25]}, [second, first])
    assert [one.citation for one in mapped["paid.0"]] == [first]
    assert [one.citation for one in mapped["paid.1"]] == [second]
    assert mapped["paid.0"][0].confidence == 0.6


def test_an_ambiguous_date_is_less_sure() -> None:
    [ambiguous] = map_citations({"start": "2024-04-03"}, [cite("Start: 03/04/24")])["start"]
    [clear] = map_citations({"start": "2024-04-03"}, [cite("Start: 3 April 2024")])["start"]
    assert 0.5 <= ambiguous.confidence < 0.6
    assert clear.confidence > 0.9


def test_what_is_less_sure_than_asked_for_is_left_out() -> None:
    answer, citations = {"start": "2024-04-03"}, [cite("Start: 03/04/24")]
    assert map_citations(answer, citations, least_confidence=0.9) == {}


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"paid": True}, "Paid: True, yes, 1"),
        ({"note": None}, "Note: None"),
        ({"note": ""}, "Note: "),
        ({"note": "-"}, "Note: -"),
        ({"weight_kg": 180}, "Weight: 180 lb"),
        ({"total": "$500"}, "Total: €500"),
        ({"refund": 20.0}, "Refund: -20.00"),
        ({"due_date": "2024-05-14"}, "Invoice date: 14 May 2024"),
        ({"share": float("nan")}, "Share: nan"),
        ({}, "nothing"),
        ([], "nothing"),
        ({"a": "b"}, ""),
    ],
)
def test_nothing_rather_than_a_guess(answer: Any, text: str) -> None:
    assert quoted(answer, text) == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("We hired Ann Lee, the buyer, in May.", ["buyer"]),
        ("We hired Ann Lee, the seller, in May.", []),
        ("The buyer, Ann Lee, lets the seller wait.", ["buyer"]),
        ("Seller: Ann Lee.", []),
        ("Auditor: Ann Lee.", []),
        ("Ann Lee, auditor: yes.", ["buyer"]),
    ],
)
def test_what_stands_beside_a_name_may_rule_it_out(text: str, found: list[str]) -> None:
    assert list(quoted({"buyer": "Ann Lee", "auditor": "Bob Ray"}, text)) == found


def test_only_a_text_is_a_part_of_a_longer_one() -> None:
    names = {"city": "York", "address": "Mill Lane 9, York"}
    assert quoted(names, "City and address: Mill Lane 9, York") == {
        "address": ["Mill Lane 9, York"]
    }
    amounts = {"amount": "1,234.50", "cell": "| 1,234.50", "note": "sold for 1,234.50"}
    assert quoted(amounts, "Note, amount: sold for 1,234.50")["amount"] == ["1,234.50"]


@pytest.mark.parametrize("rule", ["", "--- | --- | ---\n", "----------\n"])
def test_a_table_below_a_text_has_a_head_of_its_own(rule: str) -> None:
    rows = "Delivery | 45.00 | 45.00\nStool | 9.50 | 19.00"
    text = f"Invoice | 7\n\n{rule}Item | Unit price | Amount\n{rule}{rows}"
    answer = {"items": [{"item": "Delivery", "unit_price": 45.0, "amount": 45.0}]}
    mapped = map_citations(answer, [cite(text)])
    price, amount = text.index("45.00"), text.rindex("45.00")
    assert [mapped[f"items.0.{name}"][0].start for name in ("unit_price", "amount")] == [
        price,
        amount,
    ]


@pytest.mark.parametrize("name", ["min_temp", "min_temp_c", "temp_low"])
def test_a_minimum_is_no_minute(name: str) -> None:
    assert quoted({name: -5}, "a low of -5 °C to a high of 12 °C") == {name: ["5"]}
