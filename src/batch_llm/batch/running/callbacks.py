"""What is called as a run goes on."""

from __future__ import annotations

import inspect

from ...exceptions import ConfigurationError


def check_callback(callback: object) -> None:
    """Refuse what cannot be called, or would have to be awaited: nobody would.

    Raises:
        ConfigurationError: saying what is wrong with it.
    """
    if not callable(callback):
        raise ConfigurationError(f"on_progress takes a function, not {callback!r}.")
    if inspect.iscoroutinefunction(callback) or inspect.iscoroutinefunction(
        getattr(callback, "__call__", None)  # noqa: B004 - what it is matters, not whether
    ):
        raise ConfigurationError(
            "on_progress takes a plain function, and no async one: it is called on the thread of "
            "the run. Let it put the status into a queue that your own code reads."
        )
