"""Google's SDK, and plain HTTP, pointed at a simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
from google import genai
from google.genai import types

from batch_llm.testing.simulator import Fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from batch_llm.testing.simulator import Simulator

KEY = "any"
MODEL = "gemini-2.5-flash"


def client_of(simulator: Simulator, key: str = KEY, **options: Any) -> genai.Client:
    """Return a client; `async with client.aio`, or `with client`, closes it."""
    return genai.Client(
        api_key=key,
        http_options=types.HttpOptions(base_url=simulator.gemini_base_url, **options),
    )


def raw(
    simulator: Simulator,
    method: str,
    path: str,
    *,
    key: str | None = KEY,
    headers: dict[str, str] | None = None,
    json: object = None,
    content: bytes | None = None,
) -> httpx2.Response:
    """Send one request without the SDK; `path` begins with the version."""
    sent = {**({} if key is None else {"x-goog-api-key": key}), **(headers or {})}
    address = path if path.startswith("http") else simulator.gemini_base_url + path
    with httpx2.Client() as client:
        return client.request(method, address, headers=sent, json=json, content=content)


def fields_of(value: Any) -> dict[str, Any]:
    """Return the fields of an SDK's object that are set."""
    return {
        name: getattr(value, name)
        for name in type(value).model_fields
        if getattr(value, name) is not None
    }


def fault(kind: str, **fields: Any) -> Fault:
    """Return a fault."""
    return Fault.model_validate({"kind": kind, **fields})


def unknown_names(sent: Iterable[str], shape: Any) -> set[str]:
    """Return the names in JSON that are no field of the SDK's type."""
    return set(sent) - {field.alias or name for name, field in shape.model_fields.items()}
