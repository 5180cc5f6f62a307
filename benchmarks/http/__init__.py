"""What one request costs in CPU: this package's strategy, beside aiohttp and the openai SDK.

Run `python -m benchmarks.http`. A server of 20 ms latency runs in a process of its own, and so
does each client in each round; a client's figure is the user and system CPU time of its process
over the measured requests, its start and warm-up left out.
"""

from .comparison import main

__all__ = ["main"]
