"""A transport without a network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from batch_llm.llm_strategies.http import HTTPTransport, Reply

if TYPE_CHECKING:
    from collections.abc import Mapping


class FakeTransport(HTTPTransport):
    """Gives `replies` in turn, the last one for ever, and keeps what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.sent: list[tuple[str, Mapping[str, str], dict[str, Any], float]] = []
        self.calls: list[str] = []

    async def open(self) -> None:
        self.calls.append("open")

    async def post(
        self, url: str, headers: Mapping[str, str], body: bytes, timeout_seconds: float
    ) -> Reply:
        self.sent.append((url, headers, json.loads(body), timeout_seconds))
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    async def aclose(self) -> None:
        self.calls.append("aclose")
