"""SIGINT and SIGTERM while a run is waited for."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batch_llm.batch.running.stop_signals import StopSignals, stopping_signals

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


class Run(Called):
    is_over = False

    def has_ended(self) -> bool:
        return self.is_over

    def stop_gently(self) -> None:
        self.stop()


@pytest.fixture
def defaults(own_handlers: dict[int, Any]) -> list[Any]:
    handlers = [signal.default_int_handler, signal.SIG_DFL]
    for number, handler in zip(SIGNALS, handlers, strict=True):
        signal.signal(number, handler)
    return handlers


def present() -> list[Any]:
    return [signal.getsignal(number) for number in SIGNALS]


@pytest.mark.usefixtures("own_handlers")
def test_handlers_of_the_program_are_left_alone() -> None:
    before, run, signals = present(), Run(), StopSignals()
    signals.add(run)
    assert run not in signals
    assert present() == before


async def test_within_an_event_loop_nothing_is_touched(defaults: list[Any]) -> None:
    run, signals = Run(), StopSignals()
    signals.add(run)
    assert run not in signals
    assert present() == defaults


def test_all_runs_stop_and_the_last_to_end_gives_the_handlers_back(defaults: list[Any]) -> None:
    first, second, signals = Run(), Run(), StopSignals()
    signals.add(first)
    signals.add(second)
    signal.raise_signal(signal.SIGTERM)
    assert (first.order, second.order) == (["stop"], ["stop"])
    signals.remove(first)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert (first.order, second.order) == (["stop"], ["stop", "leave"])
    signals.remove(second)
    assert present() == defaults


def test_a_signal_after_the_end_is_the_programs(defaults: list[Any]) -> None:
    run, signals = Run(), StopSignals()
    signals.add(run)
    run.is_over = True
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert run.order == []
    assert present() == defaults


def test_handlers_that_the_program_sets_meanwhile_stay(defaults: list[Any]) -> None:
    run, signals, mine = Run(), StopSignals(), _handler()
    signals.add(run)
    signal.signal(signal.SIGTERM, mine)
    signals.remove(run)
    assert present() == [defaults[0], mine]
