"""What all tests share."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import certifi
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from _pytest.terminal import TerminalReporter

    from batch_llm.testing.simulator import Simulator


# A busy machine is slow, and that is no failure.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
# A run that decides whether a change lands tries the same values as the run before it did.
settings.register_profile("repeatable", settings.get_profile("unhurried"), derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "unhurried")


def pytest_configure() -> None:
    """Take interrupts as a terminal's programs do: those of a script's background ignore them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio: the package is written for it."""
    return "asyncio"


@pytest.fixture
def simulator(running: Simulator) -> Iterator[Simulator]:
    """The simulator that a module has running, as new."""
    running.reset()
    yield running
    assert running.broken == 0, "the simulator met a defect of its own; see its log"


@pytest.fixture(scope="session", autouse=True)
def one_certificate(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Let clients know one authority alone: to read all of them takes longer than most tests.

    Nothing is encrypted on this machine's loopback; where real providers are called, it stays.
    """
    if any(item.get_closest_marker("integration") for item in request.session.items):
        yield
        return
    end = "-----END CERTIFICATE-----\n"
    first, _, _ = Path(certifi.where()).read_text(encoding="ascii").partition(end)
    file = tmp_path_factory.mktemp("certificates") / "one.pem"
    file.write_text(first + end, encoding="ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a run in which tests were skipped, where nothing may be (BATCH_LLM_NO_SKIPS=1)."""
    reporter: TerminalReporter | None = session.config.pluginmanager.get_plugin("terminalreporter")
    if not os.environ.get("BATCH_LLM_NO_SKIPS") or reporter is None:
        return
    skipped = reporter.stats.get("skipped", [])
    for report in skipped:
        reporter.write_line(f"skipped, and must not be: {report.nodeid}: {report.longrepr}")
    if skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
