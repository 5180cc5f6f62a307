"""The shape an answer is asked to have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, get_args

from ..exceptions import ConfigurationError, OutputValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import jsonschema_rs
    from pydantic import BaseModel

    SchemaSource = type[BaseModel] | Mapping[str, Any]


class OutputSchema:
    """A JSON schema, and how a text that fits it becomes a value.

    Made of a pydantic model (answers are instances of it) or of a JSON schema as a mapping
    (answers are what JSON gives: dicts, lists, strings, numbers).

    Attributes:
        name: a name that providers accept: letters, digits, `_` and `-`, at most 64.
        json_schema: the schema, as JSON-ready dict.
        source: what it was made of.

    Raises:
        ConfigurationError: if `source` is neither, is not a valid JSON schema, or is a model that
            no JSON schema describes.
    """

    __slots__ = ("_hash", "_parse", "_problems", "json_schema", "name", "source")

    def __init__(self, source: SchemaSource) -> None:
        self.source = source
        self._hash: int | None = None
        self.json_schema: dict[str, Any]
        self._parse: Callable[[str], Any]
        self._problems: Callable[[str], list[str]]
        if isinstance(source, Mapping):
            self.json_schema = dict(source)
            self._parse = _mapping_parser(self.json_schema)
            self._problems = partial(_mapping_problems, self.json_schema)
            self.name = _provider_name(str(source.get("title") or "answer"))
        elif isinstance(source, type) and hasattr(source, "model_json_schema"):
            self.json_schema = _schema_of_model(source)
            self._parse = _model_parser(source, self.json_schema)
            self._problems = partial(_model_problems, source)
            self.name = _provider_name(source.__name__)
        else:
            raise ConfigurationError(_no_source(source))

    def parse(self, text: str) -> Any:
        """Return the value that `text` holds.

        Raises:
            OutputValidationError: if the text is not JSON, or does not fit the schema. Its message
                names the fields, and holds no part of the answer.
        """
        return self._parse(_unfenced(text))

    def explain(self, text: str) -> str:
        """Return what keeps `text` from fitting, for the model that wrote it; "" if it fits.

        Unlike the error of `parse` it may quote the text, and what a validator says of it: so it
        goes in no error and no log.
        """
        problems = self._problems(_unfenced(text))
        shown = "".join(f"\n- {problem}" for problem in problems[:_MOST_EXPLAINED])
        return f"It does not fit the JSON schema:{shown}" if problems else ""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, OutputSchema):
            return NotImplemented
        return self.source is other.source or self.source == other.source

    def __hash__(self) -> int:
        # Kept: encoders ask for it with every call, and it takes as long as a call may.
        if self._hash is None:
            self._hash = hash(json.dumps(self.json_schema, sort_keys=True, default=str))
        return self._hash

    def __reduce__(self) -> tuple[type[OutputSchema], tuple[SchemaSource]]:
        return OutputSchema, (self.source,)

    def __repr__(self) -> str:
        return f"OutputSchema({self.name})"


def _no_source(given: object) -> str:
    if hasattr(given, "model_json_schema"):
        name = type(given).__name__
        return f"An output schema is a class, not an object of it: give {name}, not {name}(…)."
    return f"An output schema is a pydantic model class or a JSON schema as a dict, not {given!r}."


def _schema_of_model(model: type[BaseModel]) -> dict[str, Any]:
    try:
        return model.model_json_schema()
    except Exception as error:  # pydantic has many, and fields of the user's own raise anything
        reason = " ".join(str(error).partition("\n\n")[0].split()) or type(error).__name__
        raise ConfigurationError(
            f"No JSON schema describes the model {model.__name__}: {reason.rstrip('.')}. Give one "
            f"all of whose fields have a type that JSON has."
        ) from error


_MOST_EXPLAINED = 10


def _mapping_problems(schema: dict[str, Any], text: str) -> list[str]:
    import jsonschema_rs

    try:
        value = _read(text)
    except ValueError as error:
        return [f"not JSON: {error}"]
    errors = jsonschema_rs.validator_for(schema).iter_errors(value)
    return [f"{_where(error.instance_path)}: {error.message}" for error in errors]


def _read(text: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: if it is none, also where only Python would read it: no file of JSON holds NaN,
            an infinity (to which too large a number is rounded), or half of a surrogate pair.
    """
    value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("it holds half of a surrogate pair") from None
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number


def _model_problems(model: type[BaseModel], text: str) -> list[str]:
    import pydantic

    try:
        model.model_validate_json(text)
    except pydantic.ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        return [f"{_where(detail['loc'])}: {detail['msg']}" for detail in details]
    return []


def _where(path: Iterable[str | int]) -> str:
    return ".".join(map(str, path)) or "answer"


def _provider_name(title: str) -> str:
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "_" for c in title)
    return kept[:64] or "answer"


def _unfenced(text: str) -> str:
    """Take off the Markdown fence that some models put around JSON whatever they are told."""
    stripped = text.strip()
    if not (stripped.startswith("```") and stripped.endswith("```")):
        return text
    _, _, body = stripped[:-3].partition("\n")
    return body


def _mapping_parser(schema: dict[str, Any]) -> Callable[[str], Any]:
    import jsonschema_rs

    try:
        validator = jsonschema_rs.validator_for(schema)
    except ValueError as error:
        raise ConfigurationError(
            f"The output schema is not a valid JSON schema: {_schema_fault(error)}."
        ) from None

    known = _names_in(schema)

    def parse(text: str) -> Any:
        try:
            value = _read(text)
        except ValueError as error:
            raise OutputValidationError(_not_json(text, error)) from None
        problems = [_broken_rule(error, known) for error in validator.iter_errors(value)]
        if problems:
            raise OutputValidationError(_not_fitting(problems))
        return value

    return parse


def _schema_fault(error: ValueError) -> str:
    """Say in one line what is wrong, and where in the schema."""
    import jsonschema_rs

    if not isinstance(error, jsonschema_rs.ValidationError):
        return " ".join(str(error).split())
    place = "/".join(map(str, error.instance_path))
    message = " ".join(error.message.split())
    return f"at {place!r}, {message}" if place else message


def _broken_rule(error: jsonschema_rs.ValidationError, known: frozenset[str]) -> str:
    missing = getattr(error.kind, "property", None)
    named = f" ({missing})" if isinstance(missing, str) and missing in known else ""
    return f"{_place(error.instance_path, known)}: breaks {error.kind.name!r}{named}"


def _model_parser(model: type[BaseModel], schema: dict[str, Any]) -> Callable[[str], Any]:
    import pydantic

    known = _names_in(schema)

    def parse(text: str) -> Any:
        try:
            return model.model_validate_json(text)
        except pydantic.ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
            if details and details[0]["type"] == "json_invalid":
                raise OutputValidationError(_not_json(text, details[0]["msg"])) from None
            problems = [
                f"{_place(detail['loc'], known)}: {_said_of(detail['type'], detail['msg'])}"
                for detail in details
            ]
            # `from None`: pydantic's own message quotes the answer.
            raise OutputValidationError(_not_fitting(problems)) from None

    return parse


# Their messages are pydantic's own and quote the answer, or a validator's, which may.
_QUOTING_TYPES = ("union_tag_invalid", "value_error", "assertion_error")


def _said_of(kind: str, message: str) -> str:
    from pydantic_core import core_schema

    is_own = kind in get_args(core_schema.ErrorType)
    return message if is_own and kind not in _QUOTING_TYPES else f"breaks {kind!r}"


def _place(path: Iterable[str | int], known: frozenset[str]) -> str:
    """Name a place in the answer by the schema's own names; a key of the answer stays out."""
    parts = [str(part) if isinstance(part, int) or part in known else "*" for part in path]
    return ".".join(parts) or "answer"


def _names_in(schema: object) -> frozenset[str]:
    """Return the names of all properties, wherever in the schema."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        own = frozenset(properties) if isinstance(properties, Mapping) else frozenset[str]()
        return own.union(*map(_names_in, schema.values()))
    if isinstance(schema, list):
        return frozenset[str]().union(*map(_names_in, schema))
    return frozenset()


def _not_json(text: str, reason: object) -> str:
    return f"The answer is not JSON ({len(text)} characters): {reason}"


def _not_fitting(problems: list[str]) -> str:
    shown = "; ".join(problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return f"The answer does not fit the schema: {shown}{more}"
