"""`python -m benchmarks.http [--rounds 3] [--requests 4000] [--concurrency 200]`."""

from __future__ import annotations

import argparse

from .comparison import main

parser = argparse.ArgumentParser(prog="python -m benchmarks.http")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--requests", type=int, default=4000, help="of each client in each round")
parser.add_argument("--concurrency", type=int, default=200)
main(**vars(parser.parse_args()))
