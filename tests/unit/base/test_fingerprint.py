"""Texts that say what answers depend on."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from batch_llm.base.fingerprint import (
    canonical,
    fingerprint_of,
    joined_fingerprint,
    named_function,
    without_address,
)
from batch_llm.base.schema import OutputSchema
from batch_llm.exceptions import ConfigurationError
from batch_llm.testing import mock_strategy

OURS = mock_strategy()


class Tone(enum.Enum):
    DRY = "dry"
    WET = "wet"


class Invoice(BaseModel):
    number: str
    when: datetime.date | None = None


@dataclasses.dataclass
class Box:
    width: float


def told(model: str = "m", address: str | None = None, **settings: object) -> str:
    return fingerprint_of(OURS, "kind", model, address=address, settings=settings)


def test_its_form() -> None:
    text = told("some model " * 20, "https://user:pass@host.example:8000/v1/?key=k")
    kind, name, digest, at, place = text.split(" ")
    assert (kind, at) == ("kind", "at")
    assert name.startswith("some_model_")
    assert len(name) == 80
    assert len(digest) == 32
    host, _, path = place.partition("/")
    assert (host, len(path)) == ("host.example:8000", 8)
    assert without_address(text) == f"{kind} {name} {digest}"
    assert told("") != told("-")


def test_addresses_are_host_and_path() -> None:
    here = told(address="https://host.example/v1")
    assert told(address="http://u:p@host.example/v1/?key=k#f") == here
    assert told(address="https://host.example/v2") != here
    assert told(address="https://host.example:81/v1") != here
    assert told() == without_address(here)


def test_none_is_the_same_as_nothing_and_empty_is_not() -> None:
    assert told(system=None) == told()
    assert told(system="") != told()


def test_joined_ones_keep_their_order() -> None:
    assert joined_fingerprint("k", ["a", "b"]) != joined_fingerprint("k", ["b", "a"])
    assert joined_fingerprint("k", ["a b"]) != joined_fingerprint("k", ["a", "b"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_two_values_of_json_have_one_form_if_they_are_equal(one: object, other: object) -> None:
    def form(value: object) -> str:
        return json.dumps(canonical(value, "it"), sort_keys=True)

    equal = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert form(one) == form(json.loads(json.dumps(one)))
    if equal:
        assert form(one) == form(other)
    elif one != other:
        assert form(one) != form(other)


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (1.0, 1),
        ((1, 2), [1, 2]),
        ({2, 1, "b"}, canonical({"b", 1, 2}, "it")),
        (Tone.DRY, "dry"),
        (Tone, {"enum": "Tone", "values": ["dry", "wet"]}),
        (datetime.date(2026, 1, 2), "2026-01-02"),
        (Invoice(number="1"), {"number": "1"}),
        (Box(2.0), {"width": 2}),
        (int, "builtins:int"),
        (json.loads, "json:loads"),
    ],
)
def test_what_python_has_besides(value: object, form: object) -> None:
    assert canonical(value, "it") == form


def test_types_are_told_apart() -> None:
    kinds = [Invoice, list[Invoice], list[int], Invoice | None, OutputSchema({"type": "string"})]
    forms = [json.dumps(canonical(kind, "it")) for kind in kinds]
    assert len(set(forms)) == len(forms)
    assert canonical(b"a" * 9_000, "it") != canonical(b"b" * 9_000, "it")
    assert len(json.dumps(canonical(b"a" * 9_000, "it"))) < 100


@pytest.mark.parametrize("value", [object(), {"a": [object()]}, partial(int, 2), "".join])
def test_what_cannot_be_told_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="It holds a"):
        canonical(value, "It")


def test_functions_have_a_name_or_not() -> None:
    def inner() -> None: ...

    assert named_function(test_its_form, "it") == f"{__name__}:test_its_form"
    validate = named_function(Invoice.model_validate, "it")
    assert validate == f"{__name__}:Invoice.model_validate"
    for function in (inner, lambda: 1, Invoice(number="1").model_dump, partial(int)):
        with pytest.raises(ConfigurationError, match="no name of its own"):
            named_function(function, "it")
