"""Google's SDK, and clients made from the key in the environment."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...exceptions import MissingExtraError, MissingKeyError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.genai import Client

# The order of the SDK itself, so that both use the same key where both are set.
KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")


class EnvironmentClient:
    """A `google.genai.Client` made when it is first needed, with the key in the environment.

    Give it to a Gemini strategy in the place of a client. The strategy closes it in `aclose()`;
    whoever needs it after that gets a new one. Where the service is reached is the SDK's to say
    (`GOOGLE_GEMINI_BASE_URL`).

    Args:
        environment: where `GOOGLE_API_KEY` or `GEMINI_API_KEY` is; the process's own if None.

    Raises:
        MissingKeyError: if neither is set.
        MissingExtraError: if the SDK is not installed.
    """

    __slots__ = ("_client", "_key")

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        variables = os.environ if environment is None else environment
        self._key = next((key for name in KEY_VARIABLES if (key := variables.get(name))), None)
        if self._key is None:
            raise MissingKeyError(
                "Gemini needs a key. Set GEMINI_API_KEY (or GOOGLE_API_KEY) in the environment."
            )
        if not _is_installed():
            raise MissingExtraError("Gemini", "gemini")
        self._client: Client | None = None

    def open(self) -> Client:
        """Return the client, made if there is none."""
        if self._client is None:
            from google.genai import Client
            from google.genai.types import HttpOptions, HttpRetryOptions

            # Without this its async client sends a request again by itself when a connection
            # breaks: past every limit, and billed twice where the first one had arrived.
            once = HttpOptions(retry_options=HttpRetryOptions(attempts=1))
            self._client = Client(api_key=self._key, http_options=once)
        return self._client

    async def aclose(self) -> None:
        """Close the client, if there is one."""
        client, self._client = self._client, None
        if client is not None:
            await client.aio.aclose()
            client.close()


_GOOGLE = "https://generativelanguage.googleapis.com"
_ADDRESS_VARIABLE = "GOOGLE_GEMINI_BASE_URL"


def address_of(client: Client | EnvironmentClient | None) -> str:
    """Return where a client's calls go, as far as it can be told without making one."""
    if client is None or isinstance(client, EnvironmentClient):
        return os.environ.get(_ADDRESS_VARIABLE) or _GOOGLE
    # The SDK shows it nowhere else; a stand-in for its client has none.
    options = getattr(getattr(client, "_api_client", None), "_http_options", None)
    address = getattr(options, "base_url", None)
    return address if isinstance(address, str) and address else _GOOGLE


def _is_installed() -> bool:
    try:
        return find_spec("google.genai") is not None
    except ModuleNotFoundError:  # not even the namespace `google` is there
        return False
