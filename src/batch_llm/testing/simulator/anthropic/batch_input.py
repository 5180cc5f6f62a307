"""The requests of a batch, as a client sends them."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from .body import decode
from .refusal import RefusedError, missing, wrong_kind

_MOST_REQUESTS: Final = 100_000
_MOST_BYTES: Final = 256 * 1024 * 1024
_CUSTOM_ID: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class BatchLine(msgspec.Struct, forbid_unknown_fields=True):
    """One request of a batch; its params are read when it is executed."""

    custom_id: str
    params: msgspec.Raw


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a create."""

    requests: list[BatchLine]


_ENVELOPES: Final = msgspec.json.Decoder(_Envelope)


def read_lines(body: bytes) -> list[BatchLine]:
    """Return the requests of a batch: their envelopes are checked at once, their params later.

    Raises:
        RefusedError: for too many or too few, or one without a name of its own and params.
    """
    if len(body) > _MOST_BYTES:
        raise RefusedError("Request exceeds the maximum size", 413)
    lines = decode(_ENVELOPES, body).requests
    if not lines:
        raise RefusedError("requests: List should have at least 1 item after validation, not 0")
    if len(lines) > _MOST_REQUESTS:
        raise RefusedError(
            f"requests: List should have at most {_MOST_REQUESTS} items after validation, not "
            f"{len(lines)}",
            413,
        )
    places: dict[str, int] = {}
    for index, line in enumerate(lines):
        _check_line(line, index)
        first = places.setdefault(line.custom_id, index)
        if first != index:
            raise RefusedError(
                f"requests.{index}.custom_id: must be unique within the batch; requests.{first} "
                f"has the same, '{line.custom_id}'"
            )
    return lines


def _check_line(line: BatchLine, index: int) -> None:
    if _CUSTOM_ID.fullmatch(line.custom_id) is None:
        raise RefusedError(
            f"requests.{index}.custom_id: String should match pattern '^{_CUSTOM_ID.pattern}$'"
        )
    start = bytes(memoryview(line.params)[:1])
    if not start:
        raise missing(f"requests.{index}.params")
    if start != b"{":
        raise wrong_kind(f"requests.{index}.params", "dictionary")
