"""What a client asks for when it makes a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from .body import check_metadata, decoded
from .refusal import missing, not_among, wrong_type
from .upload import checked_life

if TYPE_CHECKING:
    from collections.abc import Mapping

_ENDPOINTS: Final = (
    "/v1/responses",
    "/v1/chat/completions",
    "/v1/embeddings",
    "/v1/completions",
    "/v1/moderations",
    "/v1/images/generations",
    "/v1/images/edits",
    "/v1/videos",
)


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """Types are checked by hand, since OpenAI names the parameter that is wrong."""

    input_file_id: Any = None
    endpoint: Any = None
    completion_window: Any = None
    metadata: Any = None
    output_expires_after: Any = None


_BODIES: Final = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class BatchOrder:
    """A batch that is asked for.

    Attributes:
        input_file_id: the file with its lines.
        endpoint: where each line goes: "/v1/chat/completions".
        completion_window: always "24h".
        metadata: the client's own notes; None for none.
        output_life_seconds: after which result files are to be deleted; None for the usual time.
    """

    input_file_id: str
    endpoint: str
    completion_window: str
    metadata: Mapping[str, str] | None
    output_life_seconds: int | None


def read_order(body: bytes) -> BatchOrder:
    """Return what a request's body asks for.

    Raises:
        RefusedError: for a body that is no JSON object, and a parameter that is missing or wrong.
    """
    fields = decoded(_BODIES, body)
    return BatchOrder(
        _required("input_file_id", fields.input_file_id),
        _word("endpoint", fields.endpoint, _ENDPOINTS),
        _word("completion_window", fields.completion_window, ("24h",)),
        _metadata(fields.metadata),
        _output_life(fields.output_expires_after),
    )


def _required(name: str, value: object) -> str:
    if value is None:
        raise missing(name)
    if not isinstance(value, str):
        raise wrong_type(name, "a string", value)
    return value


def _word(name: str, value: object, supported: tuple[str, ...]) -> str:
    word = _required(name, value)
    if word not in supported:
        raise not_among(name, word, supported)
    return word


def _metadata(value: object) -> Mapping[str, str] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type("metadata", "an object", value)
    for key, text in value.items():
        if not isinstance(text, str):
            raise wrong_type(f"metadata.{key}", "a string", text)
    check_metadata(value)
    return value


def _output_life(value: object) -> int | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type("output_expires_after", "an object", value)
    return checked_life("output_expires_after", value.get("anchor"), value.get("seconds"))
