"""Texts that say what answers depend on: equal settings give equal texts, in any process.

A fingerprint reads "KIND MODEL DIGEST at HOST/DIGEST". The first digest is of all settings, the
second of the whole address; no setting can be read from either.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import hashlib
import json
import re
from collections.abc import Mapping, Sequence, Set
from types import ModuleType
from typing import Any, Final, get_args, get_origin
from urllib.parse import urlsplit

from ..exceptions import ConfigurationError
from .schema import OutputSchema

_LONGEST_NAME: Final = 80
_OURS: Final = re.compile(r"(\S+ \S+ [0-9a-f]{32}) at \S+")
_OUR_PACKAGE: Final = __name__.partition(".")[0]


def fingerprint_of(
    strategy: object,
    kind: str,
    model: str,
    *,
    address: str | None = None,
    settings: Mapping[str, object],
) -> str:
    """Return the fingerprint of a strategy of this package.

    Args:
        strategy: the strategy; a subclass has to say itself what it adds.
        kind: how it calls, and in which dialect ("openai-chat").
        model: the model.
        address: URL of the API. Its host and path count; what may be secret in it (user, query)
            does not.
        settings: whatever else changes an answer, by name; None counts like a missing one.

    Raises:
        ConfigurationError: for a setting that cannot be told from others of its kind, and for a
            subclass that does not say what it adds.
    """
    _refuse_silent_subclass(strategy)
    told = {name: value for name, value in settings.items() if value is not None}
    digest = _digest([kind, model, _class_of(strategy), canonical(told, type(strategy).__name__)])
    name = re.sub(r"\s+", "_", model)[:_LONGEST_NAME] or "-"
    return f"{kind} {name} {digest}{_place(address)}"


def without_address(fingerprint: str) -> str:
    """Return a fingerprint less the address, where it is one of this package's."""
    ours = _OURS.fullmatch(fingerprint)
    return fingerprint if ours is None else ours[1]


def joined_fingerprint(kind: str, fingerprints: Sequence[str]) -> str:
    """Return the fingerprint of several strategies in order."""
    return f"{kind} {len(fingerprints)} {_digest(list(fingerprints))}"


def _place(address: str | None) -> str:
    if not address:
        return ""
    parts = urlsplit(address)
    host = (parts.hostname or "") + (f":{parts.port}" if parts.port else "")
    return f" at {host}/{_digest([host, parts.path.rstrip('/')])[:8]}"


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _class_of(strategy: object) -> str | None:
    cls = type(strategy)
    is_ours = cls.__module__.partition(".")[0] == _OUR_PACKAGE
    return None if is_ours else f"{cls.__module__}:{cls.__qualname__}"


def _refuse_silent_subclass(strategy: object) -> None:
    cls = type(strategy)
    if _class_of(strategy) is None:
        return
    teller = next(base for base in cls.__mro__ if "fingerprint" in base.__dict__)
    if teller.__module__.partition(".")[0] == _OUR_PACKAGE:
        raise ConfigurationError(
            f"What the answers of {cls.__qualname__} depend on cannot be told: it is a class of "
            f"yours. Give it a method fingerprint(self) that returns "
            f'f"{{super().fingerprint()}} …", with the settings it adds in the place of the dots.'
        )


def canonical(value: object, holder: str) -> object:
    """Return `value` as JSON that is the same in every process.

    Keys of dictionaries are put in order; those of schemas keep theirs, since models write in it.

    Args:
        value: texts, bytes, numbers, dates, enums, pydantic and dataclass objects, named
            functions, and lists, sets and dictionaries of them.
        holder: what it is a setting of, for the error.

    Raises:
        ConfigurationError: for anything else.
    """
    if value is None or isinstance(value, (str, int)):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, float):
        # 0 and 0.0 are one number in JSON.
        return int(value) if value.is_integer() else value
    if isinstance(value, (bytes, bytearray)):
        return {"blake2b": hashlib.blake2b(value, digest_size=16).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): canonical(item, holder) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [canonical(item, holder) for item in value]
    if isinstance(value, Set):
        return sorted((canonical(item, holder) for item in value), key=_digest)
    return _canonical_object(value, holder)


def _canonical_object(value: Any, holder: str) -> object:
    if isinstance(value, OutputSchema):
        is_class = isinstance(value.source, type)
        return {"name": value.name, "class": is_class, "schema": _in_its_order(value.json_schema)}
    if isinstance(value, type) or get_origin(value) is not None:
        return _canonical_type(value, holder)
    if isinstance(value, enum.Enum):
        return canonical(value.value, holder)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if (fields := _fields_of(value)) is not None:
        return canonical(fields, holder)
    if callable(value):
        return named_function(value, holder)
    raise ConfigurationError(
        f"{holder} holds a {type(value).__name__}, which cannot be told from others of its kind: "
        f"so it cannot be told whether kept answers still hold. Use text, numbers, lists and "
        f"dictionaries there."
    )


def _canonical_type(value: Any, holder: str) -> object:
    origin = get_origin(value)
    if origin is not None:  # list[Invoice], Invoice | None
        kinds = [canonical(kind, holder) for kind in get_args(value)]
        return {"origin": canonical(origin, holder), "of": kinds}
    if hasattr(value, "model_json_schema"):
        return _canonical_object(OutputSchema(value), holder)
    if issubclass(value, enum.Enum):
        choices: list[enum.Enum] = list(value)
        values = [canonical(choice.value, holder) for choice in choices]
        return {"enum": value.__name__, "values": values}
    return named_function(value, holder)


def _fields_of(value: Any) -> dict[str, object] | None:
    """Return the fields of a pydantic or dataclass object; None for any other."""
    if hasattr(value, "model_dump"):
        return dict(value.model_dump(exclude_none=True))
    if dataclasses.is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


def named_function(function: Any, holder: str) -> str:
    """Return "module:name" of a function; a change of its code is not seen.

    Raises:
        ConfigurationError: for one that has no name of its own: a lambda, a function inside of
            another, a method of an object, an object that is called.
    """
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    owner = getattr(function, "__self__", None)
    if isinstance(owner, type):
        module, name = owner.__module__, f"{owner.__qualname__}.{function.__name__}"
    elif owner is not None and not isinstance(owner, ModuleType):  # that of a function in C
        name = None
    if not module or not name or "<" in name:
        raise ConfigurationError(
            f"{holder} holds a function that has no name of its own (a lambda, a function inside "
            f"of another, a method of an object): it cannot be told whether kept answers still "
            f"hold. Give it a function defined with def at the top of a module."
        )
    return f"{module}:{name}"


def _in_its_order(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, separators=(",", ":"), ensure_ascii=True)
