"""Where an OpenAI-compatible API is, and with which key it is called."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..exceptions import ConfigurationError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

    from ..wire.openai_chat import TokenLimitField

OPENAI_BASE_URL: Final = "https://api.openai.com/v1"
_OPENAI_HOST: Final = "api.openai.com"
_BAD_ADDRESS: Final = (
    "base_url (or OPENAI_BASE_URL) is an absolute http or https URL, such as "
    "'http://127.0.0.1:8000/v1'."
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API is, and what every request to it carries.

    Attributes:
        url: the address of its chat completions.
        host: "host:port", or "host" where the address names no port.
        token_limit_field: how it calls the limit of output tokens.
        headers: those of every request; one object, so that a transport may know it again.
        credential: the key, wherever it stands; None for a server that wants none.
        secrets: what no message may show.
    """

    url: str
    host: str
    token_limit_field: TokenLimitField
    headers: dict[str, str] = field(repr=False)
    credential: str | None = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    def quota_scope(self, model: str) -> str:
        """Name the quota of a model and a key; a digest stands for the key."""
        if self.credential is None:
            return f"{model}@{self.host}"
        digest = hashlib.sha256(self.credential.encode()).hexdigest()
        return f"{model}@{self.host}#{digest[:8]}"


def find_endpoint(
    base_url: str | None, api_key: str | None, headers: Mapping[str, str]
) -> Endpoint:
    """Return where to send and with which key, taken from the environment where not given.

    `OPENAI_API_KEY` is taken for OpenAI itself and for `OPENAI_BASE_URL` only: a server that the
    caller names must not get OpenAI's key unasked.

    Raises:
        MissingKeyError: if OpenAI itself is called and there is no key.
        ConfigurationError: for an address or a header that cannot be used.
    """
    address = _checked_address(base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI_BASE_URL)
    is_openai = address.hostname == _OPENAI_HOST
    key = (api_key or "").strip() or None
    if key is None and (is_openai or not base_url):
        key = os.environ.get("OPENAI_API_KEY", "").strip() or None
    credential = key or _credential_in(headers)
    if credential is None and is_openai:
        raise MissingKeyError(
            "OpenAI needs a key. Set OPENAI_API_KEY, or pass api_key. For another server, pass "
            "base_url."
        )
    return Endpoint(
        url=address._replace(path=f"{address.path.rstrip('/')}/chat/completions").geturl(),
        host=address.netloc,
        token_limit_field="max_completion_tokens" if is_openai else "max_tokens",
        headers=_headers(key, headers),
        credential=credential,
        secrets=(key or "", *headers.values()),
    )


def _checked_address(url: str) -> SplitResult:
    # The messages leave the address out: it may hold a password.
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # a port that is no number, or a bracket left open
        raise ConfigurationError(_BAD_ADDRESS) from None
    if not usable:
        raise ConfigurationError(_BAD_ADDRESS)
    if "@" in address.netloc:
        raise ConfigurationError(
            "base_url (or OPENAI_BASE_URL) may hold no user name and password. Pass them as "
            "headers={'Authorization': 'Basic …'}."
        )
    return address


def _credential_in(headers: Mapping[str, str]) -> str | None:
    """Return the key that further headers carry, as some servers want it."""
    named = ("authorization", "api-key", "x-api-key")
    return next((value for name, value in headers.items() if name.lower() in named), None)


def _headers(key: str | None, further: Mapping[str, str]) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "batch-llm"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    named = {name.lower() for name in further}
    headers = {name: value for name, value in headers.items() if name.lower() not in named}
    headers.update(further)
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            # Not the value: it may be a key.
            raise ConfigurationError(
                f"The value of the header {name} holds a character that no header may hold "
                f"(a line break, or one outside ASCII). Check api_key and headers."
            )
    return headers
