"""OpenAI's SDK, and plain HTTP, pointed at a simulator; and what its objects hold."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import httpx2
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

if TYPE_CHECKING:
    from batch_llm.testing.simulator import CallRecord, Simulator

KEY: Final = "any"
MODEL: Final = "gpt-4o-mini"
SNAPSHOT: Final = "gpt-4o-mini-2024-07-18"
THINKER: Final = "gpt-5"
_MOST_LOOKS: Final = 5_000
_BETWEEN_LOOKS_SECONDS: Final = 0.001
UNSET: Final = "(not sent)"


def client_of(simulator: Simulator, key: str = KEY, max_retries: int = 0) -> OpenAI:
    """Return a client; `with` closes it."""
    return OpenAI(
        base_url=simulator.openai_base_url,
        api_key=key,
        max_retries=max_retries,
    )


def async_client_of(simulator: Simulator, key: str = KEY, max_retries: int = 0) -> AsyncOpenAI:
    """Return a client; `async with` closes it."""
    return AsyncOpenAI(
        base_url=simulator.openai_base_url,
        api_key=key,
        max_retries=max_retries,
    )


def user(text: Any) -> Any:
    """Return a conversation of one turn."""
    return [{"role": "user", "content": text}]


def told(value: Any) -> Any:
    """Return all fields of an SDK's object, and check that nothing else was sent.

    A field that was not sent is `UNSET`: a table of a test names every field of the type.
    """
    if isinstance(value, BaseModel):
        assert not value.model_extra, f"{type(value).__name__} knows no {value.model_extra}"
        return {
            name: told(getattr(value, name)) if name in value.model_fields_set else UNSET
            for name in type(value).model_fields
        }
    if isinstance(value, list):
        return [told(part) for part in value]
    if isinstance(value, dict):
        return {name: told(part) for name, part in value.items()}
    return value


def closed_records(simulator: Simulator) -> list[CallRecord]:
    """Return the records of the books, once all are closed.

    The books are closed when the last byte has left: the client may have read it before.
    """
    for _ in range(_MOST_LOOKS):
        records = list(simulator.books.records)
        if all(record.fate != "open" for record in records):
            return records
        time.sleep(_BETWEEN_LOOKS_SECONDS)
    raise AssertionError("the books are open still")


def post(
    simulator: Simulator, path: str, body: object, *, key: str | None = KEY, **headers: str
) -> httpx2.Response:
    """Send one body without the SDK: bytes as they are, anything else as JSON."""
    sent = {} if key is None else {"authorization": f"Bearer {key}"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    url = simulator.openai_base_url + path
    with httpx2.Client() as client:
        if isinstance(body, bytes):
            return client.post(url, headers=sent, content=body)
        return client.post(url, headers=sent, json=body)
