"""The shape an answer is asked to have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..exceptions import ConfigurationError, OutputValidationError

if TYPE_CHECKING:
    from collections.abc import Callable

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
        ConfigurationError: if `source` is neither, or is not a valid JSON schema.
    """

    __slots__ = ("_parse", "json_schema", "name", "source")

    def __init__(self, source: SchemaSource) -> None:
        self.source = source
        self.json_schema: dict[str, Any]
        self._parse: Callable[[str], Any]
        if isinstance(source, Mapping):
            self.json_schema = dict(source)
            self._parse = _mapping_parser(self.json_schema)
            self.name = _provider_name(str(source.get("title") or "answer"))
        elif isinstance(source, type) and hasattr(source, "model_json_schema"):
            self.json_schema = source.model_json_schema()
            self._parse = _model_parser(source)
            self.name = _provider_name(source.__name__)
        else:
            raise ConfigurationError(
                f"An output schema is a pydantic model class or a JSON schema as a dict, "
                f"not {source!r}."
            )

    def parse(self, text: str) -> Any:
        """Return the value that `text` holds.

        Raises:
            OutputValidationError: if the text is not JSON, or does not fit the schema. Its message
                names the fields, and holds no part of the answer.
        """
        return self._parse(_unfenced(text))

    def __repr__(self) -> str:
        return f"OutputSchema({self.name})"


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
    except (jsonschema_rs.ValidationError, ValueError) as error:
        raise ConfigurationError(f"The output schema is not a valid JSON schema: {error}") from None

    def parse(text: str) -> Any:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise OutputValidationError(_not_json(text, error)) from None
        problems = [
            f"{'.'.join(map(str, e.instance_path)) or 'answer'}: breaks {e.kind.name!r}"
            for e in validator.iter_errors(value)
        ]
        if problems:
            raise OutputValidationError(_not_fitting(problems))
        return value

    return parse


def _model_parser(model: type[BaseModel]) -> Callable[[str], Any]:
    import pydantic

    def parse(text: str) -> Any:
        try:
            return model.model_validate_json(text)
        except pydantic.ValidationError as error:
            details = error.errors(include_url=False, include_input=False, include_context=False)
            if details and details[0]["type"] == "json_invalid":
                raise OutputValidationError(_not_json(text, details[0]["msg"])) from None
            problems = [f"{'.'.join(map(str, d['loc'])) or 'answer'}: {d['msg']}" for d in details]
            # `from None`: pydantic's own message quotes the answer.
            raise OutputValidationError(_not_fitting(problems)) from None

    return parse


def _not_json(text: str, reason: object) -> str:
    return f"The answer is not JSON ({len(text)} characters): {reason}"


def _not_fitting(problems: list[str]) -> str:
    shown = "; ".join(problems[:5])
    more = f"; and {len(problems) - 5} more" if len(problems) > 5 else ""
    return f"The answer does not fit the schema: {shown}{more}"
