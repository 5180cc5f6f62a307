"""One limit that two processes keep to together, in the Redis of this machine."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

from tests.contract.test_shared_permits import URL, needs_redis

from batch_llm.testing.simulator import Latency, Simulator

SENDER = Path(__file__).resolve().parents[1] / "shared_limit_sender.py"
A_MINUTE = 120
KEYS = ("one", "other")


@needs_redis
def test_two_processes_start_no_more_than_allowed_together() -> None:
    name = f"test-{uuid.uuid4()}"
    with Simulator(latency=Latency(seconds=0.02)) as simulator:
        arguments = [simulator.openai_base_url, URL, name, str(A_MINUTE)]
        running = [
            subprocess.Popen(
                [sys.executable, SENDER, key, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for key in KEYS
        ]
        try:
            for process in running:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
            for process in running:
                assert process.stdin is not None
                process.stdin.write("go\n")
                process.stdin.flush()
            succeeded = [int(process.communicate(timeout=60)[0]) for process in running]
        finally:
            for process in running:
                process.kill()
                process.wait()
        starts = simulator.books.totals().requests
        parts = [simulator.books.totals(key=key).requests for key in KEYS]
        assert simulator.books.largest_starts(60) == starts == A_MINUTE
    assert parts == succeeded
    assert all(parts), "both have their part"
