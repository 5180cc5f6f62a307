"""Which version of the package this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """Return the installed package's version; "0.0.0+dev" where it is not installed."""
    try:
        return version("batch-llm")
    except PackageNotFoundError:
        return "0.0.0+dev"
