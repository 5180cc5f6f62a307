"""From the words of the command line to values."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..base import OutputSchema
from ..core import AUTO
from ..core.duration import duration_seconds
from ..core.named_object import load_object
from ..exceptions import ConfigurationError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..base.schema import SchemaSource


def read_path(value: str) -> Path | None:
    """Return the file that `value` names; None for "-", the standard stream."""
    return None if value == "-" else Path(value)


def read_text(option: str, value: str) -> str:
    """Return the text that `value` is, or that the file holds which it names as "@FILE".

    "@@" at the start stands for a text that begins with "@". The line end that editors put at the
    end of a file is left out.

    Raises:
        ConfigurationError: if the file cannot be read.
    """
    if not value.startswith("@"):
        return value
    if value.startswith("@@"):
        return value[1:]
    try:
        return Path(value[1:]).read_text(encoding="utf-8-sig").removesuffix("\n")
    except OSError as error:
        raise ConfigurationError(
            f"{option}: the file {value[1:]!r} cannot be read: {error.strerror}. "
            f"Write @@ for a text that begins with @."
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{option}: the file {value[1:]!r} is not UTF-8.") from error


def read_workers(value: str) -> int | Literal["auto"]:
    """Return the number of workers, or "auto".

    Raises:
        ConfigurationError: if `value` is neither.
    """
    if value == AUTO:
        return AUTO
    if value.isascii() and value.isdecimal() and int(value) >= 1:
        return int(value)
    raise ConfigurationError(
        f"--max-workers takes a whole number from 1 up, or {AUTO!r}, not {value!r}."
    )


def read_above(option: str, value: float, limit: float = 0) -> float:
    """Return `value`.

    Raises:
        ConfigurationError: unless it is a number above `limit`.
    """
    if value > limit:  # which NaN is not
        return value
    raise ConfigurationError(f"{option} takes a number above {limit:g}, not {value:g}.")


def read_duration(option: str, value: str) -> float:
    """Return the seconds in a duration such as "90", "30s", "10m", "6h" or "1h30m".

    Raises:
        ConfigurationError: if it is none, or is 0.
    """
    return duration_seconds(option, value)


def read_names(values: Iterable[str]) -> tuple[str, ...]:
    """Return the names in lists such as "title,author"; each once."""
    names = (name.strip() for value in values for name in value.split(","))
    return tuple(dict.fromkeys(name for name in names if name))


def read_key(variable: str | None) -> str | None:
    """Return the API key in the environment variable `variable`; None where none is named.

    Raises:
        MissingKeyError: if the variable is not set.
    """
    if variable is None:
        return None
    key = os.environ.get(variable)
    if not key:
        raise MissingKeyError(f"--api-key-env: the environment variable {variable!r} is not set.")
    return key


def read_schema(value: str) -> SchemaSource:
    """Return the schema that `value` names: FILE.json, or MODULE:MODEL for a pydantic model.

    Raises:
        ConfigurationError: if there is no such thing.
    """
    if value.lower().endswith(".json"):
        return _schema_in_file(Path(value))
    module_name, colon, attribute = value.partition(":")
    if not colon or not module_name or not attribute:
        raise ConfigurationError(
            f"--schema takes FILE.json or MODULE:MODEL (a pydantic model), not {value!r}."
        )
    return _model_in_module(module_name, attribute)


def _schema_in_file(path: Path) -> dict[str, Any]:
    try:
        schema = json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"--schema: the file {str(path)!r} cannot be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"--schema: {str(path)!r} is not JSON: {error}.") from error
    if not isinstance(schema, dict):
        raise ConfigurationError(f"--schema: {str(path)!r} holds no JSON object.")
    try:
        OutputSchema(schema)
    except ConfigurationError as error:
        raise ConfigurationError(f"--schema: {str(path)!r}: {error}") from error
    return schema


def _model_in_module(module_name: str, attribute: str) -> SchemaSource:
    import pydantic

    found = load_object("--schema", module_name, attribute)
    if not (isinstance(found, type) and issubclass(found, pydantic.BaseModel)):
        raise ConfigurationError(f"--schema: {module_name}:{attribute} is no pydantic model class.")
    return found
