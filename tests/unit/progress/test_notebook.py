"""The bar in a notebook: one output of the cell, that changes."""

from __future__ import annotations

import io
import sys
import types
from typing import TYPE_CHECKING, Any

import pytest
from rich.console import Console

from batch_llm.progress import RichProgressBar
from batch_llm.progress.notebook import NotebookDrawing

if TYPE_CHECKING:
    from batch_llm.progress.notebook import Picture


class Cell:
    """What stands below a cell; does as IPython's display does."""

    def __init__(self) -> None:
        self.outputs: list[list[Picture]] = []

    def display(self, picture: Any, *, display_id: bool) -> Any:
        assert display_id is True
        pictures = [picture]
        self.outputs.append(pictures)
        return types.SimpleNamespace(update=pictures.append)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Cell:
    """A notebook that has IPython, and no ipywidgets."""
    made = Cell()
    ipython, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    display.display = made.display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    return made


def notebook() -> Console:
    return Console(file=io.StringIO(), force_jupyter=True)


def drawing(cell: Cell, clock: Clock, **options: Any) -> NotebookDrawing:
    options = {"show_item_id": False, "transient": False, **options}
    return NotebookDrawing("Reviews", cell.display, clock=clock, **options)


def test_one_output_follows_the_run_without_ipywidgets(cell: Cell) -> None:
    bar = RichProgressBar("Reviews", console=notebook())
    for done in range(1, 4):
        bar(done, 3, f"item-{done}")

    (pictures,) = cell.outputs
    assert "Reviews" in repr(pictures[-1])
    assert "3/3" in repr(pictures[-1])
    assert '<progress value="3" max="3">' in pictures[-1]._repr_html_()


def test_a_second_run_has_an_output_of_its_own(cell: Cell) -> None:
    bar = RichProgressBar(console=notebook())
    bar(1, 1, "x")
    bar(1, 1, "x")
    assert len(cell.outputs) == 2


def test_without_ipython_the_run_is_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IPython", "IPython.display", "ipywidgets"):
        monkeypatch.setitem(sys.modules, name, None)
    console = notebook()
    bar = RichProgressBar(console=console)
    bar(1, 2, "x")
    bar(2, 2, "x")
    assert isinstance(console.file, io.StringIO)
    assert "2/2" in console.file.getvalue()


def test_pictures_are_few_and_the_last_is_the_last_state() -> None:
    cell, clock = Cell(), Clock()
    bar = drawing(cell, clock)
    for done in range(1, 1_000):
        clock.now += 0.001
        bar.show(done, 1_000, "x")
    assert 5 <= len(cell.outputs[0]) <= 12
    assert "999/1000" not in repr(cell.outputs[0][-1])

    bar.stop()
    assert "999/1000" in repr(cell.outputs[0][-1])


def test_times_are_shown() -> None:
    cell, clock = Cell(), Clock()
    bar = drawing(cell, clock)
    clock.now += 60
    bar.show(1, 61, "x")
    assert repr(cell.outputs[0][-1]) == "Reviews 1/61 0:01:00 1:00:00 left"


def test_ids_are_escaped() -> None:
    cell = Cell()
    drawing(cell, Clock(), show_item_id=True).show(1, 2, "<b>row</b>")
    assert "&lt;b&gt;row&lt;/b&gt;" in cell.outputs[0][-1]._repr_html_()


def test_is_wiped_away_when_asked_to() -> None:
    cell = Cell()
    bar = drawing(cell, Clock(), transient=True)
    bar.show(2, 2, "x")
    bar.stop()
    assert (repr(cell.outputs[0][-1]), cell.outputs[0][-1]._repr_html_()) == ("", "")


def test_stopped_before_the_first_report_it_shows_nothing() -> None:
    cell = Cell()
    drawing(cell, Clock()).stop()
    assert cell.outputs == []
