"""A run of remote batches, looked at until it has ended or was left."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from ...batch.running.stop_signals import stopping_signals
from ...exceptions import BatchLLMError

if TYPE_CHECKING:
    from ...batch import BatchRun, RunStatus
    from ..stderr import ErrorConsole
    from .display import Display

_LOOK_SECONDS: Final = 0.1
_LEAVING_SECONDS: Final = 5.0


class Watch:
    """Shows a run until it has ended, or was left.

    Args:
        run: that was started.
        console: standard error.
        resume: the command that goes on with it.
        quiet: whether to say errors only.

    Attributes:
        is_stopped: a signal has come.
        has_ended: nothing of the run is at work any longer.
        trouble: what broke it.
    """

    def __init__(self, run: BatchRun, console: ErrorConsole, resume: str, *, quiet: bool) -> None:
        self._run = run
        self._console = console
        self._resume = resume
        self._quiet = quiet
        self.is_stopped = False
        self.has_ended = False
        self.trouble: BatchLLMError | None = None

    def to_the_end(self, display: Display) -> None:
        """Show it until it has ended, or a second signal has come."""
        try:
            with stopping_signals(self._stop, self._leave), display:
                self._look(display)
        except (KeyboardInterrupt, SystemExit):
            # The second signal. What is being submitted at this moment is waited for, so that it
            # is known next time; a third signal does not wait for that.
            self._wait_for_the_last_step()

    def _look(self, display: Display) -> None:
        is_on_screen, is_told = True, False
        while not self._is_over():
            status = self._run.status()
            if is_on_screen:
                is_on_screen = _show(display, status)
            if self.is_stopped and not is_told:
                is_told = True
                self._tell_of_rest(status)
            time.sleep(_LOOK_SECONDS)

    def _tell_of_rest(self, status: RunStatus) -> None:
        """Say what becomes of remote batches, where there are any, now that it is to stop."""
        if status.in_flight and not self._quiet:
            self._console.say(
                f"Remote batches go on at the provider without this program; later, "
                f"{self._resume} collects them and sends the rest.",
                style="yellow",
            )

    def _is_over(self) -> bool:
        try:
            self.has_ended = self._run.is_complete
        except BatchLLMError as error:
            self.has_ended, self.trouble = True, error
        return self.has_ended

    def _wait_for_the_last_step(self) -> None:
        until = time.monotonic() + _LEAVING_SECONDS
        while not self._is_over() and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)

    def _stop(self) -> None:
        self.is_stopped = True
        self._shut_down(waits=True)

    def _leave(self) -> None:
        self._shut_down(waits=False)

    def _shut_down(self, *, waits: bool) -> None:
        # It waits, and a signal's handler must not.
        threading.Thread(target=self._run.shutdown, args=(waits,), daemon=True).start()


def _show(display: Display, status: RunStatus) -> bool:
    """Show it; return whether that was possible: a terminal may go, and the run goes on."""
    try:
        display.show(status)
    except OSError:
        return False
    return True
