"""Bytes that stand in a "data:" address (RFC 2397)."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes


def read_data_url(url: str) -> tuple[bytes, str] | None:
    """Return the bytes, and the media type where one is stated (else ""); None if unreadable."""
    header, comma, payload = url.removeprefix("data:").partition(",")
    stated, *parameters = header.split(";")
    data = _payload(payload, is_base64="base64" in parameters) if comma else None
    return None if data is None else (data, stated)


def data_url(data: bytes, media_type: str) -> str:
    """Return the address that holds `data`."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _payload(text: str, *, is_base64: bool) -> bytes | None:
    data = unquote_to_bytes(text)
    try:
        return base64.b64decode(data, validate=True) if is_base64 else data
    except binascii.Error:
        return None
