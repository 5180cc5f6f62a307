"""Every point in both libraries, as a table."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..measure import table
from .library import batch_llm, batchata
from .points import POINTS

if TYPE_CHECKING:
    from .library import Library
    from .points import Point


def compare() -> None:
    """Provoke each point in both libraries, and print what came of it."""
    libraries = [batchata(), batch_llm()]
    rows = [[point.promise, *(_cell(point, library) for library in libraries)] for point in POINTS]
    head = ["what users rely on", *(library.name for library in libraries)]
    table("Batches on bad days, through the simulator", head, rows)


def _cell(point: Point, library: Library) -> str:
    with tempfile.TemporaryDirectory() as folder:
        verdict = point.measure(library, Path(folder))
    measured = verdict.measured.replace(folder, "…").replace("|", "/").replace("\n", " ")
    return f"{'yes' if verdict.holds else '**no**'}: {measured}"
