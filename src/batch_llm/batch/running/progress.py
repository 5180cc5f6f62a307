"""Whoever is told how a run stands as it goes on."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from ...exceptions import ConfigurationError
from .callbacks import check_callback

if TYPE_CHECKING:
    from collections.abc import Callable

    from .run_status import RunStatus

logger = logging.getLogger("batch_llm")

PROGRESS_SECONDS: Final = 1.0


class Progress:
    """A function that is called as a run goes on, and how often.

    What it raises is logged, once for as long as it raises the same, and the run goes on.

    Attributes:
        interval_seconds: between two calls at the least.
    """

    def __init__(self) -> None:
        self._callback: Callable[[RunStatus], object] | None = None
        self._last_fault = ""
        self.interval_seconds = PROGRESS_SECONDS

    def set(self, callback: Callable[[RunStatus], object] | None, interval_seconds: float) -> None:
        """Call `callback` from now on; None calls nothing.

        Raises:
            ConfigurationError: for what cannot be called, or no time above 0.
        """
        if callback is not None:
            check_callback(callback)
        given: object = interval_seconds
        if not isinstance(given, (int, float)) or isinstance(given, bool) or not given > 0:
            raise ConfigurationError(f"interval is seconds above 0, not {interval_seconds!r}.")
        self._callback, self.interval_seconds = callback, interval_seconds

    def tell(self, status: Callable[[], RunStatus]) -> None:
        """Call the function with what `status` returns."""
        callback = self._callback
        if callback is None:
            return
        try:
            callback(status())
        except Exception as error:  # the user's own function may raise anything
            fault = repr(error)
            if fault != self._last_fault:
                logger.exception("on_progress raised; the run goes on.")
            self._last_fault = fault
