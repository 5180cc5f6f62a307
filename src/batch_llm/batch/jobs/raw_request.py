"""What a provider was sent for a job, for those who ask to keep it."""

from __future__ import annotations

import json
from typing import Any, Final

_BASE64_KINDS: Final = ("media_type", "mimeType")
"""Beside the base64 text of a file, which stands under "data", stands one of these."""
_ADDRESSES: Final = frozenset({"url", "image_url", "file_data"})
"""Under these stand addresses, those that hold a file among them."""


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
    if not isinstance(value, dict):
        return value
    is_file = value.get("type") != "text" and any(kind in value for kind in _BASE64_KINDS)
    return {name: _told(name, each, is_file=is_file) for name, each in value.items()}


def _told(name: str, value: Any, *, is_file: bool) -> Any:
    if not isinstance(value, str):
        return _without_files(value)
    if is_file and name == "data":
        return _length_of(value)
    head, mark, data = value.partition(";base64,")
    holds_data = name in _ADDRESSES and mark and head.startswith("data:")
    return f"{head}{mark}{_length_of(data)}" if holds_data else value


def _length_of(data: str) -> str:
    return f"({len(data)} characters)"
