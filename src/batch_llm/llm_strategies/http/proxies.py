"""Which proxy the environment names for an address."""

from __future__ import annotations

from urllib.parse import urlsplit

from ...exceptions import ConfigurationError


def proxy_for(url: str) -> str | None:
    """Return the URL of the proxy for `url`, or None for a direct connection.

    Reads HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY, and the system's settings where there
    are such.

    Raises:
        ConfigurationError: for a proxy that does not speak HTTP: going around it unasked would
            show the caller's address.
    """
    from urllib.request import getproxies, proxy_bypass  # slow to import, and seldom needed

    address = urlsplit(url)
    proxies = getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(address.netloc.rpartition("@")[2]):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme = urlsplit(proxy).scheme
    if scheme not in ("http", "https"):
        raise ConfigurationError(
            f"The environment names a {scheme} proxy for {address.hostname}, and aiohttp takes "
            f"http and https only. Use transport='httpx2', or add the host to NO_PROXY."
        )
    return proxy
