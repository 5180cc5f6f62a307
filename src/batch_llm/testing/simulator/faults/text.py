"""Faults as people write them: on a command line, or in a header."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from pydantic import ValidationError

from ....exceptions import ConfigurationError
from .fault import Fault, FaultKind

MIXED_KINDS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 529},
    {"kind": "status", "status": 429, "retry_after_seconds": 0.05},
    {"kind": "reset_before"},
    {"kind": "dropped"},
    {"kind": "reset_in_body"},
    {"kind": "slow_body", "seconds": 0.05},
    {"kind": "truncated_json"},
    {"kind": "invalid_json"},
    {"kind": "wrong_content_type"},
    {"kind": "error_in_200"},
    {"kind": "empty"},
)
"""What happens in `mixed_faults`: all that passes, and that a client may try again."""


def fault_from_text(text: str) -> Fault:
    """Return the fault that `text` names.

    It is a kind ("reset_before"), or a status ("503"), either with a rate behind a colon
    ("503:0.05"); or a fault as JSON.

    Raises:
        ConfigurationError: for a text that is none of these.
    """
    try:
        return Fault.model_validate(_fields(text.strip()))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{text!r} is no fault: {_reason(error)}. A fault is a status or a kind, with a rate "
            f"where it does not always happen, such as '503:0.05' or 'dropped'; or JSON, such as "
            f'{{"kind": "slow_body", "seconds": 3}}. The kinds are: '
            f"{', '.join(kind.value for kind in FaultKind)}."
        ) from None


def mixed_faults(rate: float) -> tuple[Fault, ...]:
    """Return faults of many kinds, each as often as the others, that together hit `rate` of calls.

    Args:
        rate: 0 to 1.

    Raises:
        ConfigurationError: for a rate that is none.
    """
    if not 0 <= rate <= 1:
        raise ConfigurationError(f"A rate of faults is 0 to 1, not {rate!r}.")
    each = rate / len(MIXED_KINDS)
    # The first fault that falls wins: each further one falls among the calls that are left.
    return tuple(
        Fault(**fields, rate=min(1.0, each / (1 - each * index)))
        for index, fields in enumerate(MIXED_KINDS)
    )


def _fields(text: str) -> dict[str, Any]:
    if text.startswith("{"):
        fields: dict[str, Any] = msgspec.json.decode(text)
        return fields
    name, colon, rate = text.partition(":")
    fields = {"kind": "status", "status": int(name)} if name.isdecimal() else {"kind": name}
    if colon:
        fields["rate"] = float(rate)
    return fields


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        if first["loc"] == ("kind",):
            return "there is no such kind"
        where = ".".join(str(part) for part in first["loc"]) or "fault"
        return f"{where}: {first['msg']}"
    return str(error)
