"""JSON for clients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ...base.json_text import as_json

if TYPE_CHECKING:
    from typing import Any

_ENCODER: Final = msgspec.json.Encoder()


def encode_json(value: Any) -> bytes:
    """Return `value` as JSON; half of a surrogate pair, which a model may answer, is escaped."""
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:
        return as_json(value)
