"""Ids of rows."""

from __future__ import annotations

import pytest

from batch_llm.exceptions import InputError
from batch_llm.rows.identity import IdRule


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": "a", "custom_id": "b"}, "a"),
        ({"custom_id": "b"}, "b"),
        ({"id": 7}, "7"),
        ({"id": 2**70}, "1180591620717411303424"),
        ({"id": 1.5}, "1.5"),
        ({"id": 0}, "0"),
        ({"id": None, "custom_id": "b"}, "b"),
        ({"id": " "}, None),
        ({"text": "x"}, None),
    ],
)
def test_takes_the_first_usual_field_that_names_the_row(
    fields: dict[str, object], expected: str | None
) -> None:
    assert IdRule().id_of(fields) == expected


@pytest.mark.parametrize("value", [True, ["a"], {"a": 1}])
def test_refuses_what_names_nothing(value: object) -> None:
    with pytest.raises(InputError, match="neither text nor a number"):
        IdRule().id_of({"id": value})


def test_a_named_field_is_the_only_one() -> None:
    assert IdRule("meta.key").id_of({"id": "a", "meta": {"key": 5}}) == "5"


@pytest.mark.parametrize("fields", [{"id": "a"}, {"key": None}, {"key": ""}])
def test_a_named_field_must_hold_an_id(fields: dict[str, object]) -> None:
    with pytest.raises(InputError, match="has no id in the field 'key'"):
        IdRule("key").id_of(fields)
