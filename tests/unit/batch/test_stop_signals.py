"""SIGINT and SIGTERM while a run is waited for."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batch_llm.batch.stop_signals import stopping_signals

SIGNALS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def own_handlers() -> Iterator[dict[int, Any]]:
    """Handlers of the user's, which must be in force again afterwards."""
    mine = {number: _handler() for number in SIGNALS}
    before = {number: signal.signal(number, handler) for number, handler in mine.items()}
    yield mine
    for number, handler in before.items():
        signal.signal(number, handler)


def _handler() -> Callable[[int, object], None]:
    def handler(_number: int, _frame: object) -> None:
        raise AssertionError("a signal came to the user's own handler")

    return handler


class Called:
    def __init__(self) -> None:
        self.order: list[str] = []

    def stop(self) -> None:
        self.order.append("stop")

    def leave(self) -> None:
        self.order.append("leave")


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_stops_and_the_program_goes_on(
    number: signal.Signals, own_handlers: dict[int, Any], caplog: pytest.LogCaptureFixture
) -> None:
    called = Called()
    with caplog.at_level(logging.WARNING, "batch_llm"):
        with stopping_signals(called.stop, called.leave):
            signal.raise_signal(number)
    assert called.order == ["stop"]
    assert "second signal" in caplog.text
    assert {each: signal.getsignal(each) for each in SIGNALS} == own_handlers


@pytest.mark.parametrize(
    ("second", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
@pytest.mark.parametrize("first", SIGNALS)
def test_the_second_signal_leaves_and_ends_the_program(
    first: signal.Signals,
    second: signal.Signals,
    raised: type[BaseException],
    own_handlers: dict[int, Any],
) -> None:
    called = Called()
    with pytest.raises(raised) as ended, stopping_signals(called.stop, called.leave):
        signal.raise_signal(first)
        signal.raise_signal(second)
    assert called.order == ["stop", "leave"]
    if isinstance(ended.value, SystemExit):
        assert ended.value.code == 128 + signal.SIGTERM
    assert {each: signal.getsignal(each) for each in SIGNALS} == own_handlers


def test_handlers_are_the_users_again_after_an_error(own_handlers: dict[int, Any]) -> None:
    called = Called()
    with pytest.raises(ValueError, match="x"), stopping_signals(called.stop, called.leave):
        raise ValueError("x")
    assert {each: signal.getsignal(each) for each in SIGNALS} == own_handlers


def test_off_the_main_thread_nothing_is_touched(own_handlers: dict[int, Any]) -> None:
    seen: list[dict[int, Any]] = []
    called = Called()

    def wait() -> None:
        with stopping_signals(called.stop, called.leave):
            seen.append({each: signal.getsignal(each) for each in SIGNALS})

    thread = threading.Thread(target=wait)
    thread.start()
    thread.join()
    assert seen == [own_handlers]
    assert called.order == []
