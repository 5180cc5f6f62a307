"""The numbers of Google's words for errors: the codes of gRPC, as `google.rpc.Code` has them."""

from __future__ import annotations

from typing import Final

_CODES: Final = {
    "CANCELLED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}


def grpc_code(word: str) -> int:
    """Return the number of a word; that of INTERNAL for a word that is none of Google's."""
    return _CODES.get(word, _CODES["INTERNAL"])
