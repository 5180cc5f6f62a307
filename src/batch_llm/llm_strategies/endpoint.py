"""Where an API over HTTP is, and with which key it is called."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..exceptions import ConfigurationError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

# Where a key may stand among further headers: in one of these, as servers want it.
_CREDENTIAL_HEADERS = ("authorization", "api-key", "x-api-key")
# They choose a version or a feature of the API, and with it the answer.
_TELLING_HEADERS = frozenset({"anthropic-beta", "anthropic-version", "openai-beta"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAPI:
    """An API, as its provider serves it and others imitate it.

    Attributes:
        provider: its name, for messages.
        base_url: where the provider serves it.
        path: what is called there.
        example: an address of another server that speaks it.
        base_url_variable: environment variable of another address.
        key_variable: environment variable of the key.
        key_header: header that carries the key.
        key_prefix: what stands before the key in it.
        other_key_headers: further headers in which the provider takes a key; in small letters.
        headers: further headers that every request carries.
    """

    provider: str
    base_url: str
    path: str
    example: str
    base_url_variable: str
    key_variable: str
    key_header: str
    key_prefix: str
    other_key_headers: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the API is, and what every request to it carries.

    Attributes:
        url: the address that requests are posted to.
        host: "host:port", or "host" where the address names no port.
        is_the_providers: whether it is the provider itself, and no other server.
        is_from_environment: whether the address is that of the provider's environment variable.
        is_usual: whether it is the address of the environment, or without one the provider's: that
            of every strategy and client to which no other is given.
        headers: those of every request; one object, so that a transport may know it again.
        credential: the key, wherever it stands; None for a server that wants none.
        secrets: what no message may show.
    """

    url: str
    host: str
    is_the_providers: bool
    is_from_environment: bool
    is_usual: bool
    headers: dict[str, str] = field(repr=False)
    credential: str | None = field(repr=False)
    secrets: tuple[str, ...] = field(repr=False)

    @property
    def telling_headers(self) -> dict[str, str] | None:
        """The headers that choose a version or a feature of the API, by their small letters."""
        lowered = {name.lower(): value for name, value in self.headers.items()}
        told = {name: lowered[name] for name in _TELLING_HEADERS & lowered.keys()}
        return told or None

    @property
    def feature_headers(self) -> tuple[str, ...]:
        """The names of headers that choose a feature of the API."""
        return tuple(name for name in self.telling_headers or () if name.endswith("-beta"))

    def quota_scope(self, model: str) -> str:
        """Name the quota of a model and a key; a digest stands for the key."""
        if self.credential is None:
            return f"{model}@{self.host}"
        digest = hashlib.sha256(self.credential.encode()).hexdigest()
        return f"{model}@{self.host}#{digest[:8]}"


def find_endpoint(
    api: ProviderAPI, base_url: str | None, api_key: str | None, headers: Mapping[str, str]
) -> Endpoint:
    """Return where to send and with which key, taken from the environment where not given.

    The key in the environment is taken for the provider itself and for the address in the
    environment only: a server that the caller names must not get the provider's key unasked.

    Raises:
        MissingKeyError: if the provider itself is called and there is no key.
        ConfigurationError: for an address or a header that cannot be used.
    """
    named_elsewhere = os.environ.get(api.base_url_variable)
    usual = named_elsewhere or api.base_url
    address = _checked_address(base_url or usual, api)
    is_the_providers = address.hostname == urlsplit(api.base_url).hostname
    key = (api_key or "").strip() or None
    if key is None and (is_the_providers or not base_url) and not _holds_a_key(headers, api):
        key = os.environ.get(api.key_variable, "").strip() or None
    credential = key or _credential_in(headers)
    if credential is None and is_the_providers:
        raise MissingKeyError(
            f"{api.provider} needs a key. Set {api.key_variable}, or pass api_key. For another "
            f"server, pass base_url."
        )
    return Endpoint(
        url=address._replace(path=f"{address.path.rstrip('/')}{api.path}").geturl(),
        host=address.netloc,
        is_the_providers=is_the_providers,
        is_from_environment=bool(named_elsewhere) and not base_url,
        is_usual=not base_url or base_url.rstrip("/") == usual.rstrip("/"),
        headers=_headers(api, key, headers),
        credential=credential,
        secrets=(key or "", *headers.values()),
    )


def _checked_address(url: str, api: ProviderAPI) -> SplitResult:
    # The messages leave the address out: it may hold a password.
    what = f"base_url (or {api.base_url_variable})"
    said = f"{what} is an absolute http or https URL, such as '{api.example}'."
    try:
        address = urlsplit(url)
        usable = address.scheme in ("http", "https") and address.hostname and address.port != 0
    except ValueError:  # a port that is no number, or a bracket left open
        raise ConfigurationError(said) from None
    if not usable:
        raise ConfigurationError(said)
    if "@" in address.netloc:
        raise ConfigurationError(
            f"{what} may hold no user name and password. Pass them as "
            f"headers={{'Authorization': 'Basic …'}}."
        )
    return address


def _holds_a_key(headers: Mapping[str, str], api: ProviderAPI) -> bool:
    """Return whether further headers bring a key in the place where this API looks for it."""
    places = {api.key_header.lower(), *api.other_key_headers}
    return any(name.lower() in places for name in headers)


def _credential_in(headers: Mapping[str, str]) -> str | None:
    """Return the key that further headers carry, as some servers want it."""
    return next(
        (value for name, value in headers.items() if name.lower() in _CREDENTIAL_HEADERS), None
    )


def _headers(api: ProviderAPI, key: str | None, further: Mapping[str, str]) -> dict[str, str]:
    headers = {"Content-Type": "application/json", "User-Agent": "batch-llm", **api.headers}
    if key is not None:
        headers[api.key_header] = f"{api.key_prefix}{key}"
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
