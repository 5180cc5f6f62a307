"""What a row is called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..base.json_text import as_json
from ..exceptions import InputError
from .template import MISSING, FieldPath

if TYPE_CHECKING:
    from .row import Fields

USUAL_FIELDS: Final = ("id", "custom_id")


@dataclass(frozen=True, slots=True)
class IdRule:
    """Where the id of a row stands.

    Args:
        field: the field that holds it, which every row must then have. None: the first of
            `USUAL_FIELDS` that the row has; a row that has neither is named after its line.
    """

    field: str | None = None

    def id_of(self, fields: Fields) -> str | None:
        """Return the row's own id, or None if it may go without one.

        Raises:
            InputError: if there is a value that names nothing, or none where one must be. The
                message ends a sentence that begins with the line.
        """
        if self.field is not None:
            own = _read_id(fields, self.field)
            if own is None:
                raise InputError(f"has no id in the field {self.field!r}")
            return own
        for field in USUAL_FIELDS:
            own = _read_id(fields, field)
            if own is not None:
                return own
        return None


ANY_USUAL_FIELD: Final = IdRule()


def _read_id(fields: Fields, field: str) -> str | None:
    """Return the id in `field`, or None where it is absent, null or blank."""
    value = FieldPath(field).find(fields)
    if value is None or value is MISSING:
        return None
    if isinstance(value, str):
        return value if value.strip() else None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return as_json(value).decode()
    raise InputError(f"has an id in the field {field!r} that is neither text nor a number")
