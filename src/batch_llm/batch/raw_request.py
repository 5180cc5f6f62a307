"""What a provider was sent for a job, for those who ask to keep it."""

from __future__ import annotations

import json
from typing import Any, Final

_BASE64_KINDS: Final = ("media_type", "mimeType")
"""Beside the base64 text of a file stands one of these."""


def raw_request(encoded: bytes) -> dict[str, Any] | None:
    """Return a request as the provider has it, without the content of files.

    In the place of their base64 text stands how long it is: they are files of the user's, and
    would make every result as large as they are.

    Args:
        encoded: as `BatchClient.encode` returns it.
    """
    found = _without_files(json.loads(encoded.rstrip().removesuffix(b",")))
    return found if isinstance(found, dict) else None


def _without_files(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_files(each) for each in value]
    if isinstance(value, str):
        return _without_data(value)
    if not isinstance(value, dict):
        return value
    told = {name: _without_files(each) for name, each in value.items()}
    data = told.get("data")
    is_file = value.get("type") != "text" and any(kind in value for kind in _BASE64_KINDS)
    if is_file and isinstance(data, str):
        told["data"] = _length_of(data)
    return told


def _without_data(text: str) -> str:
    """Return a text; of a "data:" address, its beginning."""
    head, mark, data = text.partition(";base64,")
    return f"{head}{mark}{_length_of(data)}" if mark and head.startswith("data:") else text


def _length_of(data: str) -> str:
    return f"({len(data)} characters)"
