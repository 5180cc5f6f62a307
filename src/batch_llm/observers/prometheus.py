"""Prometheus' text format, version 0.0.4."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


@dataclass(frozen=True, slots=True)
class Family:
    """A metric and its samples.

    Args:
        name: the whole name, such as "batch_llm_items_failed".
        kind: "counter" for what only grows, "gauge" for the rest.
        help: one line for its readers.
        value: its value, where it has no label.
        label: the name of its label, where it has one.
        by_label: the value for each value of the label.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    value: float | None = None
    label: str = ""
    by_label: Mapping[str, float] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield its lines, without their ends."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        if self.value is not None:
            yield f"{self.name} {self.value}"
        for label_value, value in self.by_label.items():
            yield f'{self.name}{{{self.label}="{label_value.translate(_ESCAPES)}"}} {value}'


def render(families: Iterable[Family]) -> str:
    """Return the text of all families; it ends with a line end, as the format asks."""
    return "".join(f"{line}\n" for family in families for line in family.lines())
