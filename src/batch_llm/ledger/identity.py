"""When two items are the same, and when two requests are."""

from __future__ import annotations

import dataclasses
from functools import lru_cache
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from ..exceptions import InputError
from .canonical import NoCanonicalFormError, canonical, framed, text_bytes

if TYPE_CHECKING:
    from ..base import LLMRequest, OutputSchema, Prompt

DIGEST_BYTES: Final = 16


class ItemIdentity(NamedTuple):
    """What an item is known by.

    Attributes:
        item_id: its id.
        request: the digest of what is asked, and of whom: prompt and strategy.
        digest: the digest of all that makes it this item: its request, id and context.
    """

    item_id: str
    request: bytes
    digest: bytes


def request_digest(fingerprint: str, prompt: Prompt) -> bytes:
    """Return the digest of a request.

    Args:
        fingerprint: of the strategy; see `LLMCallStrategy.fingerprint`.
        prompt: text, or an `LLMRequest` with all its fields, images and files included.
    """
    hasher = _start(fingerprint).copy()
    if isinstance(prompt, str):
        # Nothing follows it, so its end needs no mark.
        hasher.update(b"text:" + text_bytes(prompt))
    else:
        hasher.update(b"request:" + canonical(_fields(prompt)))
    return hasher.digest()


def identify(item_id: str, request: bytes, context: object = None) -> ItemIdentity:
    """Return the identity of an item.

    Args:
        item_id: its id.
        request: the digest of its request.
        context: its context, of which a ledger keeps this digest and nothing else.

    Raises:
        InputError: if the context holds what cannot be compared between two runs.
    """
    try:
        about = b"n" if context is None else canonical(context)
    except NoCanonicalFormError as error:
        raise InputError(
            f"The context of {item_id!r} holds a {error}, which a ledger cannot compare with that "
            f"of an earlier run. Use JSON values, dates, UUIDs, enums, dataclasses or pydantic "
            f"models as context, or run without a ledger."
        ) from None
    content = request + framed(b"s", text_bytes(item_id)) + about
    return ItemIdentity(item_id, request, blake2b(content, digest_size=DIGEST_BYTES).digest())


@lru_cache(maxsize=256)
def _start(fingerprint: str) -> blake2b:
    return blake2b(framed(b"s", text_bytes(fingerprint)), digest_size=DIGEST_BYTES)


def _fields(request: LLMRequest) -> dict[str, object]:
    """Return all fields, present and future, in the form in which equal ones have equal bytes."""
    fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
    fields["messages"] = [(message.role, message.parts) for message in request.messages]
    fields["output_schema"] = _schema(request.output_schema)
    if not request.citations:
        del fields["citations"]  # a field younger than some ledgers: what they keep still holds
    for name in ("temperature", "top_p"):
        if fields[name] is not None:
            fields[name] = float(fields[name])
    return fields


def _schema(schema: OutputSchema | None) -> object:
    return None if schema is None else (schema.name, schema.json_schema)
