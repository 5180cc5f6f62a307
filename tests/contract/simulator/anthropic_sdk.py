"""Anthropic's SDK against the simulator, and a way to compare all fields of what it parsed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from anthropic import Anthropic, AsyncAnthropic

if TYPE_CHECKING:
    from anthropic import BaseModel

    from batch_llm.testing.simulator import Simulator

MODEL = "claude-sonnet-5"
ABSENT = object()
"""A field that the API does not send."""


def client_of(simulator: Simulator, *, key: str = "any", max_retries: int = 0) -> Anthropic:
    """Return a client; close it, as by `with`."""
    return Anthropic(
        base_url=simulator.anthropic_base_url, api_key=key, max_retries=max_retries, timeout=30
    )


def async_client_of(
    simulator: Simulator, *, key: str = "any", max_retries: int = 0
) -> AsyncAnthropic:
    """Return an async client; close it, as by `async with`."""
    return AsyncAnthropic(
        base_url=simulator.anthropic_base_url, api_key=key, max_retries=max_retries, timeout=30
    )


def asks(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """Return the arguments of a request for a message."""
    return {
        "model": MODEL,
        "max_tokens": 100,
        "messages": [{"role": "user", "content": text}],
        **fields,
    }


def compare(parsed: BaseModel, expected: Mapping[str, Any], where: str = "") -> None:
    """Compare all fields of the SDK's model with a written list of them.

    A value in the list is what the field holds, a function of it that is true, a mapping or a list
    for models in it, or `ABSENT`. Fields that the SDK knows and the list does not are an error, as
    are fields that the SDK does not know.
    """
    where = where or type(parsed).__name__
    assert not parsed.model_extra, f"{where}: the SDK does not know {parsed.model_extra}"
    assert set(type(parsed).model_fields) == set(expected), f"{where}: another set of fields"
    for name, wanted in expected.items():
        is_sent = name in parsed.model_fields_set
        assert is_sent == (wanted is not ABSENT), f"{where}.{name}: sent is {is_sent}"
        if is_sent:
            _compare_value(getattr(parsed, name), wanted, f"{where}.{name}")


def _compare_value(value: Any, wanted: Any, where: str) -> None:
    if isinstance(wanted, Mapping) and not isinstance(value, Mapping):
        compare(value, wanted, where)
    elif isinstance(wanted, list):
        assert len(value) == len(wanted), f"{where}: {value!r}"
        for index, (one, one_wanted) in enumerate(zip(value, wanted, strict=True)):
            _compare_value(one, one_wanted, f"{where}[{index}]")
    elif isinstance(wanted, Callable):
        assert wanted(value), f"{where}: {value!r}"
    else:
        assert value == wanted, f"{where}: {value!r}, not {wanted!r}"
        assert type(value) is type(wanted), f"{where}: {value!r}, not {wanted!r}"


def named(prefix: str) -> Callable[[str], bool]:
    """Return a check of an id: the prefix, and something behind it."""
    return lambda value: value.startswith(prefix) and len(value) > len(prefix) + 10
