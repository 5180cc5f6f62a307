"""One schema as a document: its parts refer to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import jsonschema_rs

from .....exceptions import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Schema = dict[str, Any] | bool

_NAME: Final = "urn:simulator:schema"
_DATA: Final = frozenset({"const", "default", "enum", "examples"})
_UNKNOWN: Final = ("$dynamicRef", "$recursiveRef")


class Document:
    """A schema whose references are absolute, so that its parts can be checked one by one.

    Args:
        schema: the whole schema.

    Raises:
        InputError: if it is no JSON schema, or refers to another document.
    """

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._anchors: dict[str, Schema] = {}
        self.root: dict[str, Any] = self._absolute(schema, str(schema.get("$id", "")))
        self._draft = {"$schema": schema["$schema"]} if "$schema" in schema else {}
        try:
            jsonschema_rs.validator_for(dict(schema), retriever=_refuse)
            self._registry = jsonschema_rs.Registry([(_NAME, self.root)], retriever=_refuse)
            self.validator([self.root])
        except ValueError as error:
            raise InputError(f"The schema is no valid JSON schema: {_line(error)}") from None

    def validator(self, parts: Iterable[Schema]) -> jsonschema_rs.Validator:
        """Return what checks a value against all of `parts`, formats included."""
        return jsonschema_rs.validator_for(
            {**self._draft, "allOf": list(parts)},
            registry=self._registry,
            retriever=_refuse,
            validate_formats=True,
        )

    def resolve(self, reference: str) -> Schema:
        """Return the part that an absolute reference names.

        Raises:
            InputError: if nothing is there.
        """
        fragment = unquote(reference.partition("#")[2])
        if fragment and not fragment.startswith("/"):
            return self._found(self._anchors.get(fragment), fragment)
        place: Any = self.root
        for step in fragment.split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, list):
                place = place[int(name)] if name.isdecimal() and int(name) < len(place) else None
            else:
                place = place.get(name) if isinstance(place, dict) else None
        return self._found(place, fragment)

    def _found(self, place: Any, fragment: str) -> Schema:
        if not isinstance(place, (dict, bool)):
            raise InputError(f"The schema refers to #{fragment}, where it has nothing.")
        return place

    def _absolute(self, node: Any, own: str) -> Any:
        """Return a copy of `node` whose references begin with the document's name."""
        if isinstance(node, list):
            return [self._absolute(child, own) for child in node]
        if not isinstance(node, dict):
            return node
        copy = {
            keyword: value if keyword in _DATA else self._absolute(value, own)
            for keyword, value in node.items()
            if keyword != "$id"
        }
        if isinstance(reference := copy.get("$ref"), str):
            copy["$ref"] = _absolute_reference(reference, own)
        if isinstance(unknown := next((word for word in _UNKNOWN if word in copy), None), str):
            raise InputError(f"A schema with {unknown} is unknown here: write $ref.")
        if isinstance(anchor := copy.get("$anchor"), str):
            self._anchors[anchor] = copy
        return copy


def _absolute_reference(reference: str, own: str) -> str:
    document, _, fragment = reference.partition("#")
    if document not in ("", own.partition("#")[0]):
        raise InputError(
            f"The schema refers to another document, {reference!r}: put that under its $defs."
        )
    return f"{_NAME}#{fragment}"


def _refuse(uri: str) -> Any:
    """Keep the validator from fetching anything."""
    raise InputError(f"The schema refers to another document, {uri!r}: put that under its $defs.")


def _line(error: ValueError) -> str:
    return " ".join(str(getattr(error, "message", error)).split())
