"""Prompts with gaps that the fields of a row fill."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..base.json_text import as_json
from ..exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .row import Fields

MISSING: Final = object()
"""Stands for the value of a field that a row does not have."""

# In this order: a doubled brace is a brace, whatever follows it.
_TOKEN = re.compile(r"(?P<doubled>\{\{|\}\})|\{(?P<name>[^{}]*)\}|(?P<stray>[{}])")


@dataclass(frozen=True, slots=True)
class FieldPath:
    """The way to a value in a row: "title", or "author.name" into an object in it."""

    name: str

    def find(self, fields: Fields) -> object:
        """Return the value, or `MISSING`. A field whose own name holds the dots comes first."""
        if self.name in fields:
            return fields[self.name]
        if "." not in self.name:
            return MISSING
        value: object = fields
        for step in self.name.split("."):
            value = _step_into(value, step)
        return value


def _step_into(value: object, step: str) -> object:
    if isinstance(value, dict):
        return value.get(step, MISSING)
    if isinstance(value, list) and step.isdecimal() and int(step) < len(value):
        return value[int(step)]
    return MISSING


class PromptTemplate:
    """Text with gaps: `{field}`, `{author.name}` or `{tags.0}`; `{{` and `}}` stand for braces.

    A string fills a gap as it is, any other value as JSON.

    Attributes:
        fields: what the gaps are filled from, each once, in order.

    Raises:
        ConfigurationError: for a brace without its partner, a gap without a name, or no text.
    """

    def __init__(self, text: str) -> None:
        if not text.strip():
            raise ConfigurationError("The prompt template is empty.")
        self._pieces = _parse(text)
        names = (piece for piece in self._pieces if isinstance(piece, FieldPath))
        self.fields: tuple[FieldPath, ...] = tuple(dict.fromkeys(names))

    def values(self, fields: Fields) -> dict[FieldPath, object]:
        """Return the value of each gap; `MISSING` where the row has none."""
        return {path: path.find(fields) for path in self.fields}

    def fill(self, values: Mapping[FieldPath, object]) -> str:
        """Return the text with its gaps filled; `values` has one for each."""
        return "".join(
            piece if isinstance(piece, str) else _as_text(values[piece]) for piece in self._pieces
        )


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else as_json(value).decode()


def _parse(text: str) -> tuple[str | FieldPath, ...]:
    pieces: list[str | FieldPath] = []
    end = 0
    for token in _TOKEN.finditer(text):
        pieces.append(text[end : token.start()])
        pieces.append(_piece(token))
        end = token.end()
    pieces.append(text[end:])
    return tuple(piece for piece in pieces if piece != "")


def _piece(token: re.Match[str]) -> str | FieldPath:
    if token["doubled"]:
        return token["doubled"][0]
    if token["stray"]:
        brace = token["stray"]
        raise ConfigurationError(
            f"The prompt template has a {brace!r} without its partner at character "
            f"{token.start() + 1}. Write {brace * 2!r} for a brace."
        )
    name = token["name"].strip()
    if not name:
        raise ConfigurationError(
            f"The prompt template has a gap without a name at character {token.start() + 1}. "
            f"Write '{{{{}}}}' for a pair of braces."
        )
    return FieldPath(name)
