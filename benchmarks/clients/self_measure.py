"""What a client measures of its own process, start-up excluded. Runs in any environment."""

import json
import resource
import sys
import time
from pathlib import Path


def _peak_bytes() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: that one remembers the parent's size from before the exec.
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


class Meter:
    """CPU, wall time and peak memory from its making to `report`."""

    def __init__(self) -> None:
        self._peak = _peak_bytes()
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    def report(self, items: int, **more: float) -> None:
        """Print the figures as one JSON line, and `more` with them."""
        cpu, wall = time.process_time() - self._cpu, time.perf_counter() - self._wall
        figures = {
            "cpu_us": cpu / items * 1e6,
            "rss_bytes": (_peak_bytes() - self._peak) / items,
            "wall_seconds": wall,
            **more,
        }
        print(json.dumps(figures))
