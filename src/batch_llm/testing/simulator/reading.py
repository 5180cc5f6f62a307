"""What people hand in, checked: faults, limits and times, as values of ours or as plain ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from ...exceptions import ConfigurationError
from .faults import Fault, fault_from_text
from .latency import Latency
from .limits import Limit
from .limits.limit import WHAT_IS_LIMITED
from .settings import BatchTimes, SimulatorSettings

if TYPE_CHECKING:
    from typing import Any

T = TypeVar("T")

_FAULT: Final = TypeAdapter(Fault)
_LIMITS: Final = TypeAdapter(tuple[Limit, ...])
_LATENCY: Final = TypeAdapter(Latency)
_BATCH_TIMES: Final = TypeAdapter(BatchTimes)
_SETTINGS: Final = TypeAdapter(SimulatorSettings)


def read_fault(value: Fault | str | Mapping[str, Any]) -> Fault:
    """Return a fault: as it is, from a text such as "503:0.1", or from its fields.

    Raises:
        ConfigurationError: for what is none, naming the field.
    """
    return fault_from_text(value) if isinstance(value, str) else _checked(_FAULT, value)


def read_limits(value: Limit | Iterable[Limit | Mapping[str, Any]]) -> tuple[Limit, ...]:
    """Return limits; a single one stands for itself.

    Raises:
        ConfigurationError: for what is none, naming the field.
    """
    several = not isinstance(value, (Limit, str, Mapping))
    limits = _checked(_LIMITS, list(value) if several else [value])
    for number, limit in enumerate(limits):
        if not limit.is_meant():
            names = ", ".join(WHAT_IS_LIMITED)
            raise ConfigurationError(f"{number}: limits nothing; name one of {names}")
    return limits


def read_latency(value: Latency | float | Mapping[str, Any]) -> Latency:
    """Return a latency; a number is that of a fixed one, in seconds.

    Raises:
        ConfigurationError: for what is none, naming the field.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = {"seconds": value}
    return _checked(_LATENCY, value)


def read_batch_times(value: BatchTimes | Mapping[str, Any]) -> BatchTimes:
    """Return times of batches.

    Raises:
        ConfigurationError: for what is none, naming the field.
    """
    return _checked(_BATCH_TIMES, value)


def read_settings(value: SimulatorSettings | Mapping[str, Any]) -> SimulatorSettings:
    """Return settings.

    Raises:
        ConfigurationError: for what is none, naming the field.
    """
    settings = _checked(_SETTINGS, value)
    try:
        read_limits(settings.limits)
    except ConfigurationError as error:
        raise ConfigurationError(f"limits.{error}") from None
    return settings


def _checked(kind: TypeAdapter[T], value: object) -> T:
    try:
        return kind.validate_python(value)
    except ValidationError as error:
        raise ConfigurationError(_reasons(error)) from None


def _reasons(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(str(part) for part in reason['loc']) or 'value'}: {reason['msg']}"
        for reason in error.errors()
    )
