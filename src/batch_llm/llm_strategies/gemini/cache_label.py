"""What is written on a cache, so that another run can tell whether it is the one it needs.

Gemini keeps no tags and no hash with a cache, but a display name of 128 characters. This is ours:

    batch-llm/1 <digest> <tag> <tag> …

The digest is that of the content, 22 characters. A tag is `key=value`, with a percent code for
spaces, control characters, "%", "=" and "~"; where the tags do not all fit so, each is "~" and a
short hash instead. Tags are compared in either form.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...exceptions import ConfigurationError

DISPLAY_NAME_MAX_LENGTH = 128
_FORMAT = "batch-llm/1"
_DIGEST_BYTES = 16
_TAG_BYTES = 6
_RESERVED = re.compile(r"[%=~\s\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class CacheLabel:
    """The content and the tags of one cache.

    Args:
        digest: `content_digest` of what is cached.
        tags: the user's own.
    """

    digest: str
    tags: Mapping[str, str]

    def encode(self) -> str:
        """Return the display name.

        Raises:
            ConfigurationError: if not even the hashes of the tags fit.
        """
        pairs = sorted(self.tags.items())
        for form in (_plain, _hashed):
            name = " ".join([_FORMAT, self.digest, *(form(*pair) for pair in pairs)])
            if len(name) <= DISPLAY_NAME_MAX_LENGTH:
                return name
        raise ConfigurationError(
            f"cache_tags has {len(pairs)} tags, and Gemini has room for 9: it keeps them in a "
            f"name of {DISPLAY_NAME_MAX_LENGTH} characters."
        )

    def fits(self, display_name: str | None) -> bool:
        """Return whether a cache of that name has this content, and at least these tags."""
        form, *rest = (display_name or "").split(" ")
        if form != _FORMAT or rest[:1] != [self.digest]:
            return False
        marks = set(rest[1:])
        return all(_plain(*tag) in marks or _hashed(*tag) in marks for tag in self.tags.items())


def _plain(key: str, value: str) -> str:
    return f"{_escaped(key)}={_escaped(value)}"


def _hashed(key: str, value: str) -> str:
    return "~" + _short_hash(_plain(key, value).encode(), _TAG_BYTES)


def _escaped(text: str) -> str:
    return _RESERVED.sub(lambda found: f"%{ord(found[0]):02X}", text)


def _short_hash(data: bytes, size: int) -> str:
    digest = hashlib.sha256(data).digest()[:size]
    return base64.urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def content_digest(*content: object) -> str:
    """Return a digest of what a cache holds, the same in every process.

    Args:
        content: texts, bytes, numbers, the SDK's objects, and lists and dictionaries of them.

    Raises:
        ConfigurationError: for anything else (a function, an open file): two of it cannot be
            told apart, and a cache must not be adopted unread.
    """
    canonical = json.dumps(
        _canonical(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return _short_hash(canonical.encode("utf-8", "surrogatepass"), _DIGEST_BYTES)


def _canonical(value: object) -> object:
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (bytes, bytearray)):
        return {"sha256": hashlib.sha256(value).hexdigest()}
    if isinstance(value, Mapping):
        return {str(key): _canonical(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_canonical(item) for item in value]
    return _canonical_object(value)


def _canonical_object(value: Any) -> object:
    address, media_type = getattr(value, "uri", None), getattr(value, "mime_type", None)
    if isinstance(address, str) and isinstance(media_type, str):
        # An uploaded file: only these two are sent, and its other fields change with time.
        return {"file_uri": address, "mime_type": media_type}
    if hasattr(value, "model_dump"):
        fields = value.model_dump(mode="json", exclude_none=True)
        if isinstance(fields, Mapping):
            return _canonical(fields)
    if hasattr(value, "tobytes") and hasattr(value, "mode"):  # an image of PIL
        return [str(value.mode), str(value.size), _canonical(value.tobytes())]
    raise ConfigurationError(
        f"A {type(value).__name__} cannot be cached: it cannot be told from others of its kind. "
        f"Give text, bytes, or the SDK's Content, Part, File and Tool."
    )
